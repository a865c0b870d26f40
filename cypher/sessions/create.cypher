// cypher/sessions/create.cypher: creates a session of an active user.
// The user is locked before the password is read, so that a concurrent password change ends this
// sign-in too.
// $session_id:    integer, new
// $user_id:       integer
// $secret_sha256: text, hex
// $expires_at:    integer, Unix milliseconds
// $password_hash: text, the hash that the sign-in was checked with, or null
// returns:        session
// index:          User(id)
MATCH (user:User)
WHERE user.id = $user_id
SET user.locked = true
REMOVE user.locked
WITH user
WHERE user.state = 'active' AND coalesce($password_hash, user.password_hash) = user.password_hash
CREATE (session:Session {
  id: $session_id, user_id: $user_id, secret_sha256: $secret_sha256,
  created_at: timestamp(), expires_at: $expires_at
})
RETURN session {.id, .user_id, .secret_sha256, .created_at, .expires_at} AS session
