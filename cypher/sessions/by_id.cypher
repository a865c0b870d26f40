// cypher/sessions/by_id.cypher: one session, unless it has ended.
// $session_id: integer
// returns:     session
// index:       Session(id)
MATCH (session:Session)
USING INDEX session:Session(id)
WHERE session.id = $session_id AND session.expires_at > timestamp()
RETURN session {.id, .user_id, .secret_sha256, .created_at, .expires_at} AS session
