// cypher/sessions/end.cypher: ends a session of a user, and deletes its push subscriptions.
// The ended session is stored for a day, so that a repeat succeeds. A subscription that has moved to
// another session meanwhile stays: it is read again when it is locked.
// $session_id: integer
// $user_id:    integer
// returns:     session_id
// index:       Session(id); PushSubscription(session_id)
MATCH (session:Session)
USING INDEX session:Session(id)
WHERE session.id = $session_id AND session.user_id = $user_id
SET session.expires_at = CASE
  WHEN session.expires_at > timestamp() THEN timestamp()
  ELSE session.expires_at
END
WITH session
OPTIONAL MATCH (subscription:PushSubscription)
USING INDEX subscription:PushSubscription(session_id)
WHERE subscription.session_id = session.id
SET subscription.locked = true
REMOVE subscription.locked
WITH session,
  collect(CASE WHEN subscription.session_id = session.id THEN subscription END) AS subscriptions
FOREACH (subscription IN subscriptions | DELETE subscription)
RETURN session.id AS session_id
