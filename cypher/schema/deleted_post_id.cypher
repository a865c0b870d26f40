// cypher/schema/deleted_post_id.cypher: at most one DeletedPost for an id.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT deleted_post_id IF NOT EXISTS
FOR (node:DeletedPost)
REQUIRE node.id IS UNIQUE
