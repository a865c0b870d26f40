// cypher/schema/push_subscription_partition.cypher: orders the push subscriptions of a partition by
// user.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX push_subscription_partition IF NOT EXISTS
FOR (node:PushSubscription)
ON (node.partition, node.user_id)
