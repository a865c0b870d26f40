// cypher/schema/push_subscription_user.cypher: orders a user's push subscriptions by id.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX push_subscription_user IF NOT EXISTS
FOR (node:PushSubscription)
ON (node.user_id, node.id)
