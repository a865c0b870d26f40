// cypher/idempotency_keys/free.cypher: deletes one idempotency key if it has expired.
// $user_id: integer
// $key:     text
// returns:  freed
// index:    IdempotencyKey(user_id, key)
MATCH (node:IdempotencyKey)
USING INDEX node:IdempotencyKey(user_id, key)
WHERE node.user_id = $user_id AND node.key = $key AND node.expires_at <= timestamp()
DELETE node
RETURN count(*) AS freed
