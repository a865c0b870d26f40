// cypher/push_subscriptions/end.cypher: ends a push subscription of a user.
// Endpoint and keys are removed. The rest is stored for a day, so that a repeat succeeds.
// $id:      integer
// $user_id: integer
// returns:  id
// index:    PushSubscription(id)
MATCH (subscription:PushSubscription)
USING INDEX subscription:PushSubscription(id)
WHERE subscription.id = $id AND subscription.user_id = $user_id
SET subscription.locked = true
REMOVE subscription.locked
WITH subscription
WHERE subscription.id = $id AND subscription.user_id = $user_id
SET subscription.ended_at = coalesce(subscription.ended_at, timestamp())
REMOVE subscription.endpoint, subscription.endpoint_sha256, subscription.p256dh,
  subscription.auth, subscription.partition, subscription.session_id
RETURN subscription.id AS id
