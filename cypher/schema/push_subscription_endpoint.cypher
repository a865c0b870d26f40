// cypher/schema/push_subscription_endpoint.cypher: one subscription an endpoint.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT push_subscription_endpoint IF NOT EXISTS
FOR (node:PushSubscription)
REQUIRE node.endpoint IS UNIQUE
