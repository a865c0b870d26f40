// cypher/schema/photo_owner_id.cypher: orders an owner's photos by id.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX photo_owner_id IF NOT EXISTS
FOR (node:Photo)
ON (node.owner_id, node.id)
