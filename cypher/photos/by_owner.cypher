// cypher/photos/by_owner.cypher: an owner's photos, newest first, and the posts that show
// them. Deleted ones are left out.
// $owner_id: integer
// $before:   integer, exclusive
// $limit:    integer, 1 to 101
// returns:   photo, post_id
// index:     Photo(owner_id, id)
// expands:   the post of each photo
MATCH (photo:Photo)
USING INDEX photo:Photo(owner_id, id)
WHERE photo.owner_id = $owner_id AND photo.id < $before
  AND photo.state <> 'deleted'
WITH photo
ORDER BY photo.owner_id DESC, photo.id DESC
LIMIT $limit
RETURN photo {
  .id, .owner_id, .path, .state, .failure_code, .content_type, .size_bytes, .width, .height,
  .blurhash, .alt_text, .checksum_sha256, .expires_at, .unposted_until
} AS photo,
  head(COLLECT { MATCH (photo)<-[:SHOWS]-(post:Post) RETURN post.id }) AS post_id
