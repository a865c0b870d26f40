// cypher/schema/export_state.cypher: orders exports by the end of their state.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX export_state IF NOT EXISTS
FOR (node:Export)
ON (node.state_until)
