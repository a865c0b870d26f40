// cypher/events/counts.cypher: the number of events that are due, that wait for their time, and
// that are in quarantine.
// $queues: list of texts
// $shards: integer, number of shards of a queue
// $most:   integer, events that are counted of a shard in each state
// returns: due, waiting, quarantined
// index:   Event(queue, shard, tried, due_at); :Quarantined
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
  WITH event
  LIMIT $most
  RETURN count(event) AS shard_due
}
CALL (queue, shard, tried) {
  MATCH (event:Event)
  USING INDEX event:Event(queue, shard, tried, due_at)
  WHERE event.queue = queue
    AND event.shard = shard
    AND event.tried = tried
    AND event.due_at > timestamp()
  WITH event
  LIMIT $most
  RETURN count(event) AS shard_waiting
}
WITH sum(shard_due) AS due, sum(shard_waiting) AS waiting
RETURN due, waiting, COUNT { (:Quarantined) } AS quarantined
