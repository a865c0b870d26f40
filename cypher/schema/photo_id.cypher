// cypher/schema/photo_id.cypher: one photo an id.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT photo_id IF NOT EXISTS
FOR (node:Photo)
REQUIRE node.id IS UNIQUE
