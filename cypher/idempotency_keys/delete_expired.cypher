// cypher/idempotency_keys/delete_expired.cypher: deletes idempotency keys that have expired.
// $limit:  integer
// returns: deleted
// index:   IdempotencyKey(expires_at)
MATCH (node:IdempotencyKey)
WHERE node.expires_at <= timestamp()
WITH node
LIMIT $limit
DELETE node
RETURN count(*) AS deleted
