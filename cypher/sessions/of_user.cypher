// cypher/sessions/of_user.cypher: the newest sessions of a user that have not ended, newest first.
// A session of an older epoch than its user's has ended.
// $user_id: integer
// $limit:   integer
// returns:  session
// index:    User(id); Session(user_id, created_at)
MATCH (user:User)
WHERE user.id = $user_id
WITH coalesce(user.session_epoch, 0) AS epoch
MATCH (session:Session)
USING INDEX session:Session(user_id, created_at)
WHERE session.user_id = $user_id
  AND session.created_at IS NOT NULL
  AND session.expires_at > timestamp()
  AND coalesce(session.epoch, 0) = epoch
WITH session
ORDER BY session.user_id DESC, session.created_at DESC
LIMIT $limit
RETURN session {
  .id, .user_id, .secret_sha256, .created_at, .expires_at, .ends_at, .last_used_at, .network,
  .user_agent
} AS session
