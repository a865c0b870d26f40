// cypher/photos/by_owner_and_state.cypher: an owner's photos of one state, newest first,
// and the posts that show them.
// $owner_id: integer
// $state:    text, not deleted
// $before:   integer, exclusive
// $limit:    integer, 1 to 101
// returns:   photo, post_id
// index:     Photo(owner_id, state, id)
// expands:   the post of each photo
MATCH (photo:Photo)
USING INDEX photo:Photo(owner_id, state, id)
WHERE photo.owner_id = $owner_id AND photo.state = $state AND photo.id < $before
WITH photo
ORDER BY photo.owner_id DESC, photo.state DESC, photo.id DESC
LIMIT $limit
RETURN photo {
  .id, .owner_id, .path, .state, .failure_code, .content_type, .size_bytes, .width, .height,
  .blurhash, .alt_text, .checksum_sha256, .expires_at, .unposted_until
} AS photo,
  head(COLLECT { MATCH (photo)<-[:SHOWS]-(post:Post) RETURN post.id }) AS post_id
