// cypher/sessions/by_ids.cypher: those of these sessions that have not ended.
// $session_ids: list of integers, up to 128
// returns:      session
// index:        Session(id)
UNWIND $session_ids AS session_id
MATCH (session:Session)
USING INDEX session:Session(id)
WHERE session.id = session_id AND session.expires_at > timestamp()
RETURN session {.id, .user_id, .secret_sha256, .created_at, .expires_at} AS session
