// cypher/photos/overdue.cypher: waiting photos with an id below a bound, oldest first: their upload
// has not arrived.
// $before_id: integer, exclusive
// $limit:     integer
// returns:    photo
// index:      Photo(state, id)
MATCH (photo:Photo)
USING INDEX photo:Photo(state, id)
WHERE photo.state = 'waiting' AND photo.id < $before_id
WITH photo
ORDER BY photo.state, photo.id
LIMIT $limit
RETURN photo {
  .id, .owner_id, .path, .state, .failure_code, .content_type, .size_bytes, .width, .height,
  .blurhash, .alt_text, .checksum_sha256, .expires_at
} AS photo
