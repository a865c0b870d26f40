// cypher/schema/post_id.cypher: at most one post for an id.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT post_id IF NOT EXISTS
FOR (node:Post)
REQUIRE node.id IS UNIQUE
