// cypher/users/set_password.cypher: a new password; every other session of the user ends.
// Ended sessions stay for a day, so that a repeated change finds them again.
// $user_id:         integer
// $password_hash:   text, argon2id
// $keep_session_id: integer, the session that asks
// returns:          session_ids
// index:            User(id); Session(user_id, id)
MATCH (user:User)
WHERE user.id = $user_id AND user.state = 'active'
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
