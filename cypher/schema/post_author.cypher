// cypher/schema/post_author.cypher: orders an author's posts by id.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX post_author IF NOT EXISTS
FOR (node:Post)
ON (node.author_id, node.id)
