// cypher/schema/session_user.cypher: a user's sessions.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX session_user IF NOT EXISTS
FOR (node:Session)
ON (node.user_id, node.id)
