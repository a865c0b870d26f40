// cypher/events/oldest_due.cypher: the time since the oldest due event was due.
// $shards: integer, number of shards
// returns: seconds
// index:   Event(shard, due_at)
UNWIND range(0, $shards - 1) AS shard
CALL (shard) {
  MATCH (event:Event)
  USING INDEX event:Event(shard, due_at)
  WHERE event.shard = shard AND event.due_at <= timestamp()
  RETURN event.due_at AS due_at
  ORDER BY event.shard, event.due_at
  LIMIT 1
}
RETURN coalesce((timestamp() - min(due_at)) / 1000.0, 0.0) AS seconds
