// cypher/posts/create.cypher: a post with its photos, its idempotency key and its event, or nothing.
// The photos are locked before they are read. No row where the author is not active, the clock is
// off, or a photo is not the author's, not ready or used. The post comes as posts/many gives it.
// $post_id:       integer, new
// $author_id:     integer
// $photo_ids:     list of integers, 1 to 10
// $caption:       text or null
// $location_name: text or null
// $latitude:      float or null, degrees
// $longitude:     float or null, degrees
// $key:           text
// $fingerprint:   text, of the request's body
// $key_life_ms:   integer, milliseconds
// $event_id:      integer, new
// $drawn_at:      integer, Unix milliseconds at which the post's id was drawn
// $tolerance_ms:  integer, how far that may be from the graph's clock
// $large_audience: integer, followers above which the event is of the kind that has its own queue
// returns:        event, post, author, photos
// index:          User(id); Photo(id)
// expands:        what shows or showed each photo
MATCH (author:User)
WHERE author.id = $author_id
  AND author.state = 'active'
  AND abs(timestamp() - $drawn_at) <= $tolerance_ms
UNWIND range(0, size($photo_ids) - 1) AS position
MATCH (photo:Photo)
WHERE photo.id = $photo_ids[position]
SET photo.locked = true
REMOVE photo.locked
WITH author, position, photo
WHERE photo.owner_id = $author_id
  AND photo.state = 'ready'
  AND NOT EXISTS { (photo)<-[:SHOWS|SHOWED]-() }
WITH author, collect({photo: photo, position: position}) AS shown
WHERE size(shown) = size($photo_ids)
CREATE (:IdempotencyKey {
  user_id: $author_id, key: $key, fingerprint: $fingerprint, result_id: $post_id,
  expires_at: timestamp() + $key_life_ms
})
CREATE (author)-[:POSTED]->(post:Post {
  id: $post_id, author_id: $author_id, caption: $caption, location_name: $location_name,
  coordinates: point({latitude: $latitude, longitude: $longitude}), created_at: timestamp()
})
CREATE (event:Event {
  id: $event_id,
  kind: CASE
    WHEN COUNT { (author)<-[:FOLLOWS]-() } > $large_audience THEN 'post-published-widely'
    ELSE 'post-published'
  END,
  shard: $event_id % 16, subject_id: $post_id,
  author_id: $author_id, cursor: -2, epoch: 0, attempts: 0,
  due_at: timestamp(), rung_at: timestamp()
})
WITH author, post, event, shown
UNWIND shown AS one
WITH author, post, event, one.photo AS photo, one.position AS position
CREATE (post)-[:SHOWS {position: position, photo_id: photo.id}]->(photo)
WITH author, post, event, collect(photo {
    .id, .path, .width, .height, .blurhash, .alt_text, position: position
  }) AS photos
RETURN event {.id, .kind, .subject_id, .author_id, .epoch, .cursor, .attempts} AS event,
  post {
    .id, .author_id, .caption, .location_name, .created_at,
    latitude: post.coordinates.latitude, longitude: post.coordinates.longitude
  } AS post,
  author {.username, .name} AS author,
  photos
