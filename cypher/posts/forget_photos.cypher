// cypher/posts/forget_photos.cypher: takes away photos of deleted posts, once their objects are gone.
// $photo_ids: list of integers
// returns:    forgotten
// index:      Photo(id)
// expands:    what showed each photo
UNWIND $photo_ids AS photo_id
MATCH (photo:Photo)
WHERE photo.id = photo_id AND EXISTS { (photo)<-[:SHOWED]-() }
DETACH DELETE photo
RETURN count(*) AS forgotten
