// cypher/photos/set_expired.cypher: gives up those of these photos that still wait for their upload.
// $photo_ids: list of integers
// returns:    photo_ids
// index:      Photo(id)
UNWIND $photo_ids AS photo_id
MATCH (photo:Photo)
WHERE photo.id = photo_id
SET photo.locked = true
REMOVE photo.locked
WITH photo
WHERE photo.state = 'waiting'
SET photo.state = 'expired'
RETURN collect(photo.id) AS photo_ids
