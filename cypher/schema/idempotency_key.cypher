// cypher/schema/idempotency_key.cypher: a key has one result.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT idempotency_key IF NOT EXISTS
FOR (node:IdempotencyKey)
REQUIRE (node.user_id, node.key) IS UNIQUE
