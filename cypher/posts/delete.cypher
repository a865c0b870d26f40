// cypher/posts/delete.cypher: deletes a post, creates a DeletedPost with its photos, and creates
// the event that deletes their objects.
// The post and its photos are locked before they are read.
// $post_id:    integer
// $author_id:  integer
// $event_id:   integer, new
// $request_id: text or null, of the request that owes the work
// returns:     event
// index:       Post(id)
// expands:     the photos of the post
MATCH (post:Post)
USING INDEX post:Post(id)
WHERE post.id = $post_id AND post.author_id = $author_id
SET post.locked = true
REMOVE post.locked
WITH post
MATCH (post)-[shows:SHOWS]->(photo:Photo)
SET photo.locked = true
REMOVE photo.locked
WITH post, collect({photo: photo, position: shows.position}) AS shown
DETACH DELETE post
CREATE (deleted:DeletedPost {id: $post_id, author_id: $author_id, deleted_at: timestamp()})
CREATE (event:Event {
  id: $event_id, kind: 'post-deleted', queue: 'removal', shard: $event_id % 16,
  subject_id: $post_id, author_id: $author_id, cursor: 0, epoch: 0, attempts: 0, tried: false,
  due_at: timestamp(), owed_at: timestamp(), request_id: $request_id
})
WITH deleted, event, shown
UNWIND shown AS one
WITH deleted, event, one.photo AS photo, one.position AS position
CREATE (deleted)-[:SHOWED {position: position}]->(photo)
WITH DISTINCT event
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event
