// cypher/schema/photo_owner.cypher: orders an owner's photos of one state by id.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX photo_owner IF NOT EXISTS
FOR (node:Photo)
ON (node.owner_id, node.state, node.id)
