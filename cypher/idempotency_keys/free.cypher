// cypher/idempotency_keys/free.cypher: takes a key away that has expired and has not been swept yet.
// $user_id: integer
// $key:     text
// returns:  freed
// index:    IdempotencyKey(user_id, key)
MATCH (used:IdempotencyKey)
USING INDEX used:IdempotencyKey(user_id, key)
WHERE used.user_id = $user_id AND used.key = $key AND used.expires_at <= timestamp()
DELETE used
RETURN count(*) AS freed
