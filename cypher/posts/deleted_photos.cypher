// cypher/posts/deleted_photos.cypher: the photos of a deleted post that still exist.
// $post_id: integer
// returns:  photo_id, path
// index:    DeletedPost(id)
// expands:  the photos of the deleted post
MATCH (deleted:DeletedPost)-[:SHOWED]->(photo:Photo)
WHERE deleted.id = $post_id
RETURN photo.id AS photo_id, photo.path AS path
