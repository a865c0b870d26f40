// cypher/users/create.cypher: creates a user, and a first session if one is given.
// $user_id:       integer, new
// $username:      text, as written
// $username_ci:   text, folded
// $name:          text
// $password_hash: text, argon2id
// $session_id:    integer, new, or null
// $secret_sha256: text, hex, or null
// $expires_at:    integer, Unix milliseconds, at which the session ends unless it is used, or null
// $ends_at:       integer, Unix milliseconds, at which it ends at the latest, or null
// $network:       text, of the sign-up, or null
// $user_agent:    text or null
// returns:        user
// index:          nothing
CREATE (user:User {
  id: $user_id, username: $username, username_ci: $username_ci, name: $name, state: 'active',
  password_hash: $password_hash, created_at: timestamp(), read_position: 0, notification_position: 0,
  known_networks: CASE WHEN $network IS NULL THEN null ELSE [$network] END
})
FOREACH (_ IN CASE WHEN $session_id IS NULL THEN [] ELSE [0] END |
  CREATE (:Session {
    id: $session_id, user_id: $user_id, secret_sha256: $secret_sha256,
    created_at: timestamp(), last_used_at: timestamp(), expires_at: $expires_at, ends_at: $ends_at,
    network: $network, user_agent: $user_agent
  })
)
RETURN user {.id, .username, .name, .bio, .location, .state, .created_at} AS user
