// cypher/events/counts.cypher: the number of events that are due, that wait for their time, and
// that are in quarantine.
// $shards: integer, number of shards
// returns: due, waiting, quarantined
// index:   Event(shard, due_at); :Quarantined
RETURN COUNT {
    UNWIND range(0, $shards - 1) AS shard
    MATCH (event:Event)
    USING INDEX event:Event(shard, due_at)
    WHERE event.shard = shard AND event.due_at <= timestamp()
  } AS due,
  COUNT {
    UNWIND range(0, $shards - 1) AS shard
    MATCH (event:Event)
    USING INDEX event:Event(shard, due_at)
    WHERE event.shard = shard AND event.due_at > timestamp()
  } AS waiting,
  COUNT { (:Quarantined) } AS quarantined
