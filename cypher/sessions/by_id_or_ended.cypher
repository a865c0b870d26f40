// cypher/sessions/by_id_or_ended.cypher: one session, also if it ended within a day.
// $session_id: integer
// returns:     session
// index:       Session(id)
MATCH (session:Session)
USING INDEX session:Session(id)
WHERE session.id = $session_id
RETURN session {
  .id, .user_id, .secret_sha256, .created_at, .expires_at, .ends_at, .last_used_at, .network,
  .user_agent
} AS session
