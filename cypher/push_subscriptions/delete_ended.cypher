// cypher/push_subscriptions/delete_ended.cypher: deletes push subscriptions that a user ended more
// than a day ago.
// $limit:   integer
// $life_ms: integer, milliseconds, the lowest time since the end
// returns:  deleted
// index:    PushSubscription(ended_at)
MATCH (subscription:PushSubscription)
WHERE subscription.ended_at < timestamp() - $life_ms
WITH subscription
LIMIT $limit
DELETE subscription
RETURN count(*) AS deleted
