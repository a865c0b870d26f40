// cypher/schema/photo_owner.cypher: an owner's photos of one state in order.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX photo_owner IF NOT EXISTS
FOR (node:Photo)
ON (node.owner_id, node.state, node.id)
