// cypher/photos/set_failed.cypher: changes a photo from processing to failed.
// $photo_id: integer
// $code:     text, the reason
// $life_ms:  integer, milliseconds until the node is deleted
// returns:   photo_id
// index:     Photo(id)
MATCH (photo:Photo)
WHERE photo.id = $photo_id
SET photo.locked = true
REMOVE photo.locked
WITH photo
WHERE photo.state = 'processing'
SET photo.state = 'failed', photo.failure_code = $code,
  photo.unposted_until = timestamp() + $life_ms
RETURN photo.id AS photo_id
