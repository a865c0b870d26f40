// cypher/posts/owed_ids.cypher: which of these posts are still on their way into timelines, also by way of
// quarantine. It looks at every event, of which there are few.
// $post_ids: list of integers, up to 1000
// returns:   post_ids
// index:     :Event
MATCH (event:Event)
WHERE event.kind IN ['post-published', 'post-published-widely']
  AND event.subject_id IN $post_ids
RETURN collect(event.subject_id) AS post_ids
