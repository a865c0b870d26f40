// cypher/photos/with_objects.cypher: photos whose objects are due to be removed, longest due first.
// A photo that still waits for its upload is left to photos/expire.
// $limit:  integer
// returns: photo_id, path
// index:   Photo(objects_until)
MATCH (photo:Photo)
USING INDEX photo:Photo(objects_until)
WHERE photo.objects_until < timestamp() AND photo.state IN ['failed', 'expired', 'deleted']
RETURN photo.id AS photo_id, photo.path AS path
ORDER BY photo.objects_until
LIMIT $limit
