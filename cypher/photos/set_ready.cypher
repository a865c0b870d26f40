// cypher/photos/set_ready.cypher: changes a photo from processing to ready, and finishes its event.
// No row is returned, and nothing changes, if another worker has claimed the event.
// $event_id:    integer
// $epoch:       integer, of the claim
// $photo_id:    integer
// $width:       integer, pixels, of the upright photo
// $height:      integer, pixels, of the upright photo
// $blurhash:    text
// $unposted_ms: integer, milliseconds until the photo expires unless it is posted
// returns:      ready
// index:        Event(id); Photo(id)
MATCH (event:Event)
WHERE event.id = $event_id
SET event.locked = true
REMOVE event.locked
WITH event
WHERE event.epoch = $epoch AND NOT event:Quarantined
MATCH (photo:Photo)
WHERE photo.id = $photo_id
SET photo.locked = true
REMOVE photo.locked
WITH event, photo, photo.state = 'processing' AS ready
FOREACH (_ IN CASE WHEN ready THEN [0] ELSE [] END |
  SET photo.state = 'ready', photo.width = $width, photo.height = $height,
    photo.blurhash = $blurhash, photo.unposted_until = timestamp() + $unposted_ms
  DELETE event
)
RETURN ready
