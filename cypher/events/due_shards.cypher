// cypher/events/due_shards.cypher: the shards whose longest due event has been due for a time, and
// how many such events each has, up to a limit.
// $queues:   list of texts
// $shards:   integer, number of shards of a queue
// $late_ms:  integer, milliseconds
// $most:     integer, events that are counted of a shard
// returns:   queue, shard, count
// index:     Event(queue, shard, tried, due_at)
UNWIND $queues AS queue
UNWIND range(0, $shards - 1) AS shard
CALL (queue, shard) {
  UNWIND [false, true] AS tried
  CALL (queue, shard, tried) {
    MATCH (event:Event)
    USING INDEX event:Event(queue, shard, tried, due_at)
    WHERE event.queue = queue
      AND event.shard = shard
      AND event.tried = tried
      AND event.due_at <= timestamp() - $late_ms
    RETURN event.id AS event_id
    LIMIT $most
  }
  RETURN count(event_id) AS count
}
WITH queue, shard, count
WHERE count > 0
RETURN queue, shard, count
