// cypher/posts/undelivered_ids.cypher: those of these posts whose fan-out is not finished,
// including events in quarantine.
// It scans all events, which are few.
// $post_ids: list of integers, up to 1000
// returns:   post_ids
// index:     :Event
MATCH (event:Event)
WHERE event.kind IN ['post-published', 'post-published-widely']
  AND event.subject_id IN $post_ids
RETURN collect(event.subject_id) AS post_ids
