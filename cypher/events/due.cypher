// cypher/events/due.cypher: events of a shard that are due and have not been rung for a lease, marked as
// rung now. Two sweepers may both get one: a claim decides.
// $shard:    integer, 0 to 15
// $lease_ms: integer, milliseconds
// $limit:    integer
// returns:   event
// index:     Event(shard, due_at)
MATCH (event:Event)
USING INDEX event:Event(shard, due_at)
WHERE event.shard = $shard
  AND event.due_at <= timestamp()
  AND event.rung_at <= timestamp() - $lease_ms
WITH event
ORDER BY event.shard, event.due_at
LIMIT $limit
SET event.rung_at = timestamp()
RETURN event {.id, .kind, .subject_id, .author_id, .epoch, .cursor, .attempts} AS event
