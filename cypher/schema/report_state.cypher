// cypher/schema/report_state.cypher: orders the reports of a state by id.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX report_state IF NOT EXISTS
FOR (node:Report)
ON (node.state, node.id)
