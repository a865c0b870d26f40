// cypher/photos/set_expired.cypher: changes the waiting ones of these photos to expired.
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
