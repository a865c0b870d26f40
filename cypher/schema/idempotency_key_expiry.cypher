// cypher/schema/idempotency_key_expiry.cypher: keys in the order in which they expire.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX idempotency_key_expiry IF NOT EXISTS
FOR (node:IdempotencyKey)
ON (node.expires_at)
