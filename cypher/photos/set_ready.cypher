// cypher/photos/set_ready.cypher: changes a photo from processing to ready.
// $photo_id: integer
// $width:    integer, pixels, of the upright photo
// $height:   integer, pixels, of the upright photo
// $blurhash: text
// returns:   photo_id
// index:     Photo(id)
MATCH (photo:Photo)
WHERE photo.id = $photo_id
SET photo.locked = true
REMOVE photo.locked
WITH photo
WHERE photo.state = 'processing'
SET photo.state = 'ready', photo.width = $width, photo.height = $height,
  photo.blurhash = $blurhash
RETURN photo.id AS photo_id
