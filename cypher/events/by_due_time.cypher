// cypher/events/by_due_time.cypher: events outside quarantine that are due within a span from now,
// earliest first.
// $shards:  integer, number of shards
// $from_ms: integer, milliseconds from now, exclusive
// $to_ms:   integer, milliseconds from now, inclusive
// $kinds:   list of texts; empty for all
// $limit:   integer
// returns:  event, due_in_seconds, owed_seconds
// index:    Event(shard, due_at)
// sorts:    the rows of all shards; each shard returns its own in order
UNWIND range(0, $shards - 1) AS shard
CALL (shard) {
  MATCH (event:Event)
  USING INDEX event:Event(shard, due_at)
  WHERE event.shard = shard
    AND event.due_at > timestamp() + $from_ms
    AND event.due_at <= timestamp() + $to_ms
    AND (size($kinds) = 0 OR event.kind IN $kinds)
  RETURN event
  ORDER BY event.shard, event.due_at
  LIMIT $limit
}
WITH event
ORDER BY event.due_at
LIMIT $limit
RETURN event {.id, .kind, .subject_id, .author_id, .epoch, .cursor, .attempts} AS event,
  (event.due_at - timestamp()) / 1000.0 AS due_in_seconds,
  (timestamp() - event.owed_at) / 1000.0 AS owed_seconds
