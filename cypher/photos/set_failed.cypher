// cypher/photos/set_failed.cypher: changes a photo from processing to failed.
// Its worker removes the objects now, the sweeper once more what has come later.
// $photo_id: integer
// $code:     text, the reason
// $life_ms:  integer, milliseconds until the node is deleted
// $late_ms:  integer, milliseconds until no upload and no fenced worker stores an object any more
// returns:   photo_id
// index:     Photo(id)
MATCH (photo:Photo)
WHERE photo.id = $photo_id
SET photo.locked = true
REMOVE photo.locked
WITH photo
WHERE photo.state = 'processing'
SET photo.state = 'failed', photo.failure_code = $code,
  photo.unposted_until = timestamp() + $life_ms, photo.objects_until = timestamp() + $late_ms
RETURN photo.id AS photo_id
