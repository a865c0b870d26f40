// cypher/idempotency_keys/by_key.cypher: what a user's key stands for, unless it has expired.
// $user_id: integer
// $key:     text
// returns:  fingerprint, result_id
// index:    IdempotencyKey(user_id, key)
MATCH (used:IdempotencyKey)
USING INDEX used:IdempotencyKey(user_id, key)
WHERE used.user_id = $user_id AND used.key = $key AND used.expires_at > timestamp()
RETURN used.fingerprint AS fingerprint, used.result_id AS result_id
