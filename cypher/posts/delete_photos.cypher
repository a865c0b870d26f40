// cypher/posts/delete_photos.cypher: deletes photos of deleted posts, after their objects were
// deleted.
// $photo_ids: list of integers
// returns:    deleted
// index:      Photo(id)
// expands:    the DeletedPost of each photo
UNWIND $photo_ids AS photo_id
MATCH (photo:Photo)
WHERE photo.id = photo_id AND EXISTS { (photo)<-[:SHOWED]-() }
DETACH DELETE photo
RETURN count(*) AS deleted
