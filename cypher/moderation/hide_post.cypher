// cypher/moderation/hide_post.cypher: hides a post from everybody, and creates the audit entry and
// the event that discards its body.
// POSTED becomes POSTED_HIDDEN, so that the author's post count leaves the post out. The post is
// locked before it is read. No row is returned if it is hidden already.
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
WHERE post.hidden_at IS NULL
MATCH (author:User)
USING INDEX author:User(id)
WHERE author.id = $author_id
OPTIONAL MATCH (post)<-[posted:POSTED]-()
SET post.hidden_at = timestamp()
DELETE posted
CREATE (author)-[:POSTED_HIDDEN]->(post)
CREATE (:AuditEntry {
  id: $entry_id, at: timestamp(), operator: $operator, action: 'hide-post', subject: 'post',
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
