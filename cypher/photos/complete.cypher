// cypher/photos/complete.cypher: changes a photo from waiting to processing and creates its event,
// once it is uploaded.
// In any other state nothing changes, and the event is null. A deleted photo has no row.
// From now on the event answers for the objects, so objects_until is removed. The photos of one
// owner are in one shard, so that owners have turns.
// $photo_id:   integer
// $owner_id:   integer
// $event_id:   integer, new
// $request_id: text or null, of the request that owes the work
// $life_ms:    integer, milliseconds until the photo expires if no worker finishes it
// returns:     photo, event
// index:       Photo(id); Event(id)
MATCH (photo:Photo)
USING INDEX photo:Photo(id)
WHERE photo.id = $photo_id AND photo.owner_id = $owner_id
SET photo.locked = true
REMOVE photo.locked
WITH photo, photo.state = 'waiting' AS is_waiting
WHERE photo.state <> 'deleted'
FOREACH (_ IN CASE WHEN is_waiting THEN [0] ELSE [] END |
  SET photo.state = 'processing', photo.unposted_until = timestamp() + $life_ms
  REMOVE photo.objects_until
  CREATE (:Event {
    id: $event_id, kind: 'photo-uploaded', queue: 'photos', shard: $owner_id % 16,
    subject_id: $photo_id, author_id: $owner_id, cursor: 0, epoch: 0, attempts: 0, tried: false,
    due_at: timestamp(), owed_at: timestamp(), request_id: $request_id
  })
)
WITH photo
OPTIONAL MATCH (event:Event)
WHERE event.id = $event_id
RETURN photo {
  .id, .owner_id, .path, .state, .failure_code, .content_type, .size_bytes, .width, .height,
  .blurhash, .alt_text, .checksum_sha256, .expires_at, .unposted_until
} AS photo,
  event {
    .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
  } AS event
