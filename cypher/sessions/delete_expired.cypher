// cypher/sessions/delete_expired.cypher: deletes sessions that ended more than a day ago.
// $limit:   integer
// $life_ms: integer, milliseconds, the lowest time since the end
// returns:  deleted
// index:    Session(expires_at)
MATCH (session:Session)
WHERE session.expires_at < timestamp() - $life_ms
WITH session
LIMIT $limit
DELETE session
RETURN count(*) AS deleted
