// cypher/schema/deleted_post_time.cypher: orders DeletedPosts by the time of deletion.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX deleted_post_time IF NOT EXISTS
FOR (node:DeletedPost)
ON (node.deleted_at)
