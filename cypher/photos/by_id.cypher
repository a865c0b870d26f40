// cypher/photos/by_id.cypher: one photo of any owner, and the post that shows it.
// $photo_id: integer
// returns:   photo, post_id
// index:     Photo(id)
// expands:   the post of the photo
MATCH (photo:Photo)
WHERE photo.id = $photo_id
RETURN photo {
  .id, .owner_id, .path, .state, .failure_code, .content_type, .size_bytes, .width, .height,
  .blurhash, .alt_text, .checksum_sha256, .expires_at, .unposted_until
} AS photo,
  head(COLLECT { MATCH (photo)<-[:SHOWS]-(post:Post) RETURN post.id }) AS post_id
