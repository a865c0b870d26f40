// cypher/photos/create.cypher: creates a photo in state waiting, and its idempotency key if one is
// given.
// $photo_id:        integer, new
// $owner_id:        integer
// $path:            text, part of the names of its objects
// $content_type:    text
// $size_bytes:      integer
// $checksum_sha256: text, base64, or null
// $alt_text:        text or null
// $expires_at:      integer, Unix milliseconds
// $key:             text or null
// $fingerprint:     text, of the request's body, or null
// $key_life_ms:     integer, milliseconds
// $unposted_ms:     integer, milliseconds until the photo expires unless it is posted
// $upload_ms:       integer, milliseconds until no upload can begin any more
// returns:          photo
// index:            User(id)
MATCH (owner:User)
WHERE owner.id = $owner_id AND owner.state = 'active'
FOREACH (_ IN CASE WHEN $key IS NULL THEN [] ELSE [0] END |
  CREATE (:IdempotencyKey {
    user_id: $owner_id, key: $key, fingerprint: $fingerprint, result_id: $photo_id,
    expires_at: timestamp() + $key_life_ms
  })
)
CREATE (photo:Photo {
  id: $photo_id, owner_id: $owner_id, path: $path, state: 'waiting',
  content_type: $content_type, size_bytes: $size_bytes, checksum_sha256: $checksum_sha256,
  alt_text: $alt_text, expires_at: $expires_at,
  unposted_until: timestamp() + $unposted_ms, objects_until: timestamp() + $upload_ms
})
RETURN photo {
  .id, .owner_id, .path, .state, .failure_code, .content_type, .size_bytes, .width, .height,
  .blurhash, .alt_text, .checksum_sha256, .expires_at, .unposted_until
} AS photo
