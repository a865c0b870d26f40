// cypher/idempotency_keys/delete_expired.cypher: forgets keys that have expired.
// $limit:  integer
// returns: deleted
// index:   IdempotencyKey(expires_at)
MATCH (used:IdempotencyKey)
WHERE used.expires_at <= timestamp()
WITH used
LIMIT $limit
DELETE used
RETURN count(*) AS deleted
