// cypher/posts/clear_deleted.cypher: forgets deletions of over a day ago whose photos are gone.
// $limit:   integer
// $life_ms: integer, milliseconds
// returns:  cleared
// index:    DeletedPost(deleted_at)
// expands:  the photos that are still kept
MATCH (deleted:DeletedPost)
WHERE deleted.deleted_at < timestamp() - $life_ms AND NOT EXISTS { (deleted)-[:SHOWED]->() }
WITH deleted
LIMIT $limit
DELETE deleted
RETURN count(*) AS cleared
