// cypher/sessions/of_user.cypher: a user's sessions that have not ended, newest first.
// $user_id: integer
// returns:  session
// index:    Session(user_id, id)
MATCH (session:Session)
USING INDEX session:Session(user_id, id)
WHERE session.user_id = $user_id AND session.id IS NOT NULL AND session.expires_at > timestamp()
WITH session
ORDER BY session.user_id DESC, session.id DESC
RETURN session {.id, .user_id, .secret_sha256, .created_at, .expires_at} AS session
