// cypher/schema/post_id.cypher: one post an id.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT post_id IF NOT EXISTS
FOR (node:Post)
REQUIRE node.id IS UNIQUE
