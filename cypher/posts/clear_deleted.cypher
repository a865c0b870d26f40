// cypher/posts/clear_deleted.cypher: deletes DeletedPosts that are older than a day and have no
// photos.
// $limit:   integer
// $life_ms: integer, milliseconds, the lowest age
// returns:  cleared
// index:    DeletedPost(deleted_at)
// expands:  the remaining photos of each DeletedPost
MATCH (deleted:DeletedPost)
WHERE deleted.deleted_at < timestamp() - $life_ms AND NOT EXISTS { (deleted)-[:SHOWED]->() }
WITH deleted
LIMIT $limit
DELETE deleted
RETURN count(*) AS cleared
