// cypher/accounts/clear_keys.cypher: deletes idempotency keys of a user that is being deleted.
// $user_id: integer
// $limit:   integer
// returns:  cleared
// index:    IdempotencyKey(user_id, key)
MATCH (key:IdempotencyKey)
USING INDEX key:IdempotencyKey(user_id, key)
WHERE key.user_id = $user_id AND key.key IS NOT NULL
WITH key
LIMIT $limit
DELETE key
RETURN count(*) AS cleared
