// cypher/schema/post_author.cypher: an author's posts in order.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX post_author IF NOT EXISTS
FOR (node:Post)
ON (node.author_id, node.id)
