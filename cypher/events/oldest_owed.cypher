// cypher/events/oldest_owed.cypher: the age of the oldest event of some queues that was due, however
// often it was claimed since.
// An event in quarantine has no age.
// $queues: list of texts
// $shards: integer, number of shards
// returns: seconds
// index:   Event(shard, owed_at)
UNWIND range(0, $shards - 1) AS shard
CALL (shard) {
  MATCH (event:Event)
  USING INDEX event:Event(shard, owed_at)
  WHERE event.shard = shard AND event.owed_at <= timestamp() AND event.queue IN $queues
  RETURN event.owed_at AS owed_at
  ORDER BY event.shard, event.owed_at
  LIMIT 1
}
RETURN coalesce((timestamp() - min(owed_at)) / 1000.0, 0.0) AS seconds
