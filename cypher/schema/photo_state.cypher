// cypher/schema/photo_state.cypher: photos of one state, oldest first.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX photo_state IF NOT EXISTS
FOR (node:Photo)
ON (node.state, node.id)
