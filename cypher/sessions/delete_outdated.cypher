// cypher/sessions/delete_outdated.cypher: deletes those of a user's sessions that are of an older
// epoch than the user's, and their push subscriptions.
// An epoch only rises, and a session of an older one never gets the newer one.
// $user_id:     integer
// $session_ids: list of integers, up to 1000
// returns:      deleted
// index:        User(id); Session(id); PushSubscription(session_id)
MATCH (user:User)
WHERE user.id = $user_id
WITH coalesce(user.session_epoch, 0) AS epoch
UNWIND $session_ids AS session_id
MATCH (session:Session)
USING INDEX session:Session(id)
WHERE session.id = session_id
  AND session.user_id = $user_id
  AND coalesce(session.epoch, 0) < epoch
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
