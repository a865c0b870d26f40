// cypher/schema/push_subscription_digest.cypher: at most one push subscription for an endpoint.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT push_subscription_digest IF NOT EXISTS
FOR (node:PushSubscription)
REQUIRE node.endpoint_sha256 IS UNIQUE
