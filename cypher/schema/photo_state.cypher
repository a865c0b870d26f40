// cypher/schema/photo_state.cypher: orders photos of one state by id.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX photo_state IF NOT EXISTS
FOR (node:Photo)
ON (node.state, node.id)
