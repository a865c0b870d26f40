// cypher/sessions/by_id.cypher: one session, unless it has ended.
// A session of an older epoch than its user's has ended.
// $session_id: integer
// returns:     session
// index:       Session(id); User(id)
MATCH (session:Session)
USING INDEX session:Session(id)
WHERE session.id = $session_id AND session.expires_at > timestamp()
MATCH (user:User)
WHERE user.id = session.user_id
  AND coalesce(session.epoch, 0) = coalesce(user.session_epoch, 0)
RETURN session {
  .id, .user_id, .secret_sha256, .created_at, .expires_at, .ends_at, .last_used_at, .network,
  .user_agent
} AS session
