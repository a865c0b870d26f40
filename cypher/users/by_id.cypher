// cypher/users/by_id.cypher: one user, in any state.
// $user_id: integer
// returns:  user
// index:    User(id)
MATCH (user:User)
WHERE user.id = $user_id
RETURN user {.id, .username, .name, .bio, .location, .state, .created_at} AS user
