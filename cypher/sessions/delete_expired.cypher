// cypher/sessions/delete_expired.cypher: deletes sessions that ended more than a day ago, and their
// push subscriptions.
// $limit:   integer
// $life_ms: integer, milliseconds, the lowest time since the end
// returns:  deleted
// index:    Session(expires_at); PushSubscription(session_id)
MATCH (session:Session)
WHERE session.expires_at < timestamp() - $life_ms
WITH session
LIMIT $limit
OPTIONAL MATCH (subscription:PushSubscription)
USING INDEX subscription:PushSubscription(session_id)
WHERE subscription.session_id = session.id
SET subscription.locked = true
REMOVE subscription.locked
WITH session,
  collect(CASE WHEN subscription.session_id = session.id THEN subscription END) AS subscriptions
FOREACH (subscription IN subscriptions | DELETE subscription)
DELETE session
RETURN count(*) AS deleted
