// cypher/schema/idempotency_key_expiry.cypher: orders idempotency keys by the time at which they
// expire.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX idempotency_key_expiry IF NOT EXISTS
FOR (node:IdempotencyKey)
ON (node.expires_at)
