// cypher/push_subscriptions/delete.cypher: deletes push subscriptions, of any user.
// One that has moved to another user has another id, so it stays.
// $ids:    list of integers
// returns: deleted
// index:   PushSubscription(id)
UNWIND $ids AS id
MATCH (subscription:PushSubscription)
USING INDEX subscription:PushSubscription(id)
WHERE subscription.id = id
SET subscription.locked = true
REMOVE subscription.locked
WITH subscription
WHERE subscription.id IN $ids
DELETE subscription
RETURN count(*) AS deleted
