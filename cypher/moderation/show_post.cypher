// cypher/moderation/show_post.cypher: shows a hidden post again, and creates the audit entry and
// the event that discards its tombstone.
// The post is locked before it is read. No row is returned if it is not hidden.
// $post_id:    integer
// $author_id:  integer
// $entry_id:   integer, new
// $operator:   text
// $reason:     text or null
// $event_id:   integer, new
// $request_id: text or null, of the request that owes the work
// returns:     event
// index:       Post(id); User(id)
// expands:     the author of the post
MATCH (post:Post)
USING INDEX post:Post(id)
WHERE post.id = $post_id AND post.author_id = $author_id
SET post.locked = true
REMOVE post.locked
WITH post
WHERE post.hidden_at IS NOT NULL
MATCH (author:User)
USING INDEX author:User(id)
WHERE author.id = $author_id
OPTIONAL MATCH (post)<-[hidden:POSTED_HIDDEN]-()
REMOVE post.hidden_at
DELETE hidden
CREATE (author)-[:POSTED]->(post)
CREATE (:AuditEntry {
  id: $entry_id, at: timestamp(), operator: $operator, action: 'show-post', subject: 'post',
  subject_id: $post_id, reason: $reason
})
CREATE (event:Event {
  id: $event_id, kind: 'post-moderated', queue: 'removal', shard: $event_id % 16,
  subject_id: $post_id, author_id: $author_id, cursor: 0, epoch: 0, attempts: 0, tried: false,
  due_at: timestamp(), owed_at: timestamp(), request_id: $request_id
})
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event
