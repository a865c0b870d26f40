// cypher/schema/session_created.cypher: orders a user's sessions by their creation.
// Their ids are random.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX session_created IF NOT EXISTS
FOR (node:Session)
ON (node.user_id, node.created_at)
