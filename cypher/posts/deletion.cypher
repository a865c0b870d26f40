// cypher/posts/deletion.cypher: the DeletedPost of an author's post, and the event of this request
// if an earlier attempt created it.
// $post_id:   integer
// $author_id: integer
// $event_id:  integer, of the earlier attempt
// returns:    event
// index:      DeletedPost(id); Event(id)
MATCH (deleted:DeletedPost)
WHERE deleted.id = $post_id AND deleted.author_id = $author_id
OPTIONAL MATCH (event:Event)
WHERE event.id = $event_id AND event.subject_id = $post_id
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event
