// cypher/users/create.cypher: adds a user.
// $user_id:       integer, new
// $username:      text, as written
// $username_ci:   text, as compared
// $name:          text
// $password_hash: text, argon2id
// returns:        user
// index:          nothing
CREATE (user:User {
  id: $user_id, username: $username, username_ci: $username_ci, name: $name, state: 'active',
  password_hash: $password_hash, created_at: timestamp(), read_position: 0, notification_position: 0
})
RETURN user {.id, .username, .name, .bio, .location, .state, .created_at} AS user
