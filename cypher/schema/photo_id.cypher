// cypher/schema/photo_id.cypher: at most one photo for an id.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT photo_id IF NOT EXISTS
FOR (node:Photo)
REQUIRE node.id IS UNIQUE
