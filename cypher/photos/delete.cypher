// cypher/photos/delete.cypher: hides an unposted photo, and creates the event that removes its
// objects.
// The photo is locked before it is read. If it is posted or deleted, nothing changes, and the event
// is null. The node stays for a while, so that the path of objects that come late is known. The
// sweeper removes objects once more when no upload can begin any more.
// $photo_id:   integer
// $owner_id:   integer
// $event_id:   integer, new
// $request_id: text or null, of the request that owes the work
// $life_ms:    integer, milliseconds until the node is deleted
// $upload_ms:  integer, milliseconds until no upload can begin any more
// returns:     is_posted, event
// index:       Photo(id); Event(id)
// expands:     the post and the DeletedPost of the photo
MATCH (photo:Photo)
USING INDEX photo:Photo(id)
WHERE photo.id = $photo_id AND photo.owner_id = $owner_id
SET photo.locked = true
REMOVE photo.locked
WITH photo, EXISTS { (photo)<-[:SHOWS|SHOWED]-() } AS is_posted
FOREACH (_ IN CASE WHEN is_posted OR photo.state = 'deleted' THEN [] ELSE [0] END |
  SET photo.state = 'deleted', photo.unposted_until = timestamp() + $life_ms,
    photo.objects_until = timestamp() + $upload_ms
  REMOVE photo.alt_text, photo.blurhash
  CREATE (:Event {
    id: $event_id, kind: 'photo-deleted', queue: 'removal', shard: $event_id % 16,
    subject_id: $photo_id, author_id: $owner_id, cursor: 0, epoch: 0, attempts: 0, tried: false,
    due_at: timestamp(), owed_at: timestamp(), request_id: $request_id
  })
)
WITH is_posted
OPTIONAL MATCH (event:Event)
WHERE event.id = $event_id
RETURN is_posted,
  event {
    .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
  } AS event
