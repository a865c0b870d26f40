// cypher/schema/session_user.cypher: orders a user's sessions by id.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX session_user IF NOT EXISTS
FOR (node:Session)
ON (node.user_id, node.id)
