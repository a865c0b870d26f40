// cypher/events/by_due_time.cypher: events outside quarantine that are due within a span from now,
// earliest first.
// $queues:  list of texts
// $shards:  integer, number of shards of a queue
// $from_ms: integer, milliseconds from now, exclusive
// $to_ms:   integer, milliseconds from now, inclusive
// $kinds:   list of texts; empty for all
// $limit:   integer
// returns:  event, due_in_seconds, owed_seconds
// index:    Event(queue, shard, tried, due_at)
// sorts:    the rows of all shards; each shard returns its own in order
UNWIND $queues AS queue
UNWIND range(0, $shards - 1) AS shard
UNWIND [false, true] AS tried
CALL (queue, shard, tried) {
  MATCH (event:Event)
  USING INDEX event:Event(queue, shard, tried, due_at)
  WHERE event.queue = queue
    AND event.shard = shard
    AND event.tried = tried
    AND event.due_at > timestamp() + $from_ms
    AND event.due_at <= timestamp() + $to_ms
    AND (size($kinds) = 0 OR event.kind IN $kinds)
  RETURN event
  ORDER BY event.queue, event.shard, event.tried, event.due_at
  LIMIT $limit
}
WITH event
ORDER BY event.due_at
LIMIT $limit
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event,
  (event.due_at - timestamp()) / 1000.0 AS due_in_seconds,
  (timestamp() - event.owed_at) / 1000.0 AS owed_seconds
