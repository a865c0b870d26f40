// cypher/users/set_password.cypher: a new password; every other session of the user ends.
// The user is locked before the password is read, so that a request which checked an older one
// changes nothing; the new one's own hash is met by a repeat after a lost answer.
// Ended sessions stay for a day, so that a repeated change finds them again.
// $user_id:         integer
// $checked_hash:    text, argon2id, what the request was checked against
// $password_hash:   text, argon2id
// $keep_session_id: integer, the session that asks, which must not have ended
// returns:          session_ids
// index:            User(id); Session(id); Session(user_id, id)
MATCH (user:User)
WHERE user.id = $user_id AND user.state = 'active'
SET user.locked = true
REMOVE user.locked
WITH user
WHERE user.password_hash IN [$checked_hash, $password_hash]
MATCH (kept:Session)
USING INDEX kept:Session(id)
WHERE kept.id = $keep_session_id AND kept.user_id = $user_id AND kept.expires_at > timestamp()
SET user.password_hash = $password_hash
WITH user
OPTIONAL MATCH (session:Session)
WHERE session.user_id = $user_id AND session.id <> $keep_session_id
SET session.expires_at = CASE
  WHEN session.expires_at > timestamp() THEN timestamp()
  ELSE session.expires_at
END
WITH user, collect(session.id) AS session_ids
RETURN session_ids
