// cypher/schema/push_subscription_id.cypher: at most one push subscription for an id.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT push_subscription_id IF NOT EXISTS
FOR (node:PushSubscription)
REQUIRE node.id IS UNIQUE
