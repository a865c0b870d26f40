// cypher/schema/export_user.cypher: orders a user's exports by id.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX export_user IF NOT EXISTS
FOR (node:Export)
ON (node.user_id, node.id)
