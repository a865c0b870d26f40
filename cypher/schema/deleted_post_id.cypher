// cypher/schema/deleted_post_id.cypher: a post is deleted once.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT deleted_post_id IF NOT EXISTS
FOR (node:DeletedPost)
REQUIRE node.id IS UNIQUE
