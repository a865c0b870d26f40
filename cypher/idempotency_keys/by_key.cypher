// cypher/idempotency_keys/by_key.cypher: a user's idempotency key, unless it has expired.
// $user_id: integer
// $key:     text
// returns:  fingerprint, result_id
// index:    IdempotencyKey(user_id, key)
MATCH (node:IdempotencyKey)
USING INDEX node:IdempotencyKey(user_id, key)
WHERE node.user_id = $user_id AND node.key = $key AND node.expires_at > timestamp()
RETURN node.fingerprint AS fingerprint, node.result_id AS result_id
