// cypher/posts/create.cypher: creates a post with its photos, its idempotency key and its event.
// The photos are locked before they are read. No row is returned if the author is not active, if
// the clock is off, or if a photo is not the author's, not ready, or already posted. The post has
// the form of posts/many.
// $post_id:        integer, new
// $author_id:      integer
// $photo_ids:      list of integers, 1 to 10
// $caption:        text or null
// $location_name:  text or null
// $latitude:       float or null, degrees
// $longitude:      float or null, degrees
// $key:            text
// $fingerprint:    text, of the request's body
// $key_life_ms:    integer, milliseconds
// $event_id:       integer, new
// $request_id:     text or null, of the request that owes the work
// $drawn_at:       integer, Unix milliseconds, the time in the post's id
// $tolerance_ms:   integer, milliseconds, the largest difference from the graph's clock
// $large_audience: integer, followers above which the kind is post-published-widely
// returns:         event, post, author, photos
// index:           User(id); Photo(id)
// expands:         the posts and DeletedPosts of each photo
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
WITH author, shown, COUNT { (author)<-[:FOLLOWS]-() } > $large_audience AS is_large
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
  kind: CASE WHEN is_large THEN 'post-published-widely' ELSE 'post-published' END,
  queue: CASE WHEN is_large THEN 'fanout-large' ELSE 'fanout' END,
  shard: $event_id % 16,
  subject_id: $post_id, author_id: $author_id, cursor: -2, epoch: 0, attempts: 0, tried: false,
  due_at: timestamp(), owed_at: timestamp(), request_id: $request_id
})
WITH author, post, event, shown
UNWIND shown AS one
WITH author, post, event, one.photo AS photo, one.position AS position
CREATE (post)-[:SHOWS {position: position, photo_id: photo.id}]->(photo)
REMOVE photo.unposted_until
WITH author, post, event, collect(photo {
    .id, .path, .width, .height, .blurhash, .alt_text, position: position
  }) AS photos
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event,
  post {
    .id, .author_id, .caption, .location_name, .created_at,
    latitude: post.coordinates.latitude, longitude: post.coordinates.longitude
  } AS post,
  author {.username, .name} AS author,
  photos
