// cypher/events/oldest_due.cypher: the time since the oldest due event was due.
// $queues: list of texts
// $shards: integer, number of shards of a queue
// returns: seconds
// index:   Event(queue, shard, tried, due_at)
UNWIND $queues AS queue
UNWIND range(0, $shards - 1) AS shard
UNWIND [false, true] AS tried
CALL (queue, shard, tried) {
  MATCH (event:Event)
  USING INDEX event:Event(queue, shard, tried, due_at)
  WHERE event.queue = queue
    AND event.shard = shard
    AND event.tried = tried
    AND event.due_at <= timestamp()
  RETURN event.due_at AS due_at
  ORDER BY event.queue, event.shard, event.tried, event.due_at
  LIMIT 1
}
RETURN coalesce((timestamp() - min(due_at)) / 1000.0, 0.0) AS seconds
