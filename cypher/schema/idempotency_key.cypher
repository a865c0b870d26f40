// cypher/schema/idempotency_key.cypher: at most one result for a key of a user.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT idempotency_key IF NOT EXISTS
FOR (node:IdempotencyKey)
REQUIRE (node.user_id, node.key) IS UNIQUE
