// cypher/accounts/clear_sessions.cypher: deletes sessions of a user that is being deleted.
// $user_id: integer
// $limit:   integer
// returns:  cleared
// index:    Session(user_id, id)
MATCH (session:Session)
USING INDEX session:Session(user_id, id)
WHERE session.user_id = $user_id AND session.id IS NOT NULL
WITH session
LIMIT $limit
DELETE session
RETURN count(*) AS cleared
