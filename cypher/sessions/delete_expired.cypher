// cypher/sessions/delete_expired.cypher: forgets sessions that ended over a day ago.
// $limit:   integer
// $life_ms: integer, milliseconds
// returns:  deleted
// index:    Session(expires_at)
MATCH (session:Session)
WHERE session.expires_at < timestamp() - $life_ms
WITH session
LIMIT $limit
DELETE session
RETURN count(*) AS deleted
