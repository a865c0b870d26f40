// cypher/photos/by_id.cypher: one photo of any owner.
// $photo_id: integer
// returns:   photo
// index:     Photo(id)
MATCH (photo:Photo)
WHERE photo.id = $photo_id
RETURN photo {
  .id, .owner_id, .path, .state, .failure_code, .content_type, .size_bytes, .width, .height,
  .blurhash, .alt_text, .checksum_sha256, .expires_at
} AS photo
