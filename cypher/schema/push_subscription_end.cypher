// cypher/schema/push_subscription_end.cypher: orders ended push subscriptions by the time of the end.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX push_subscription_end IF NOT EXISTS
FOR (node:PushSubscription)
ON (node.ended_at)
