// cypher/events/due.cypher: a shard's events of some kinds that are due and have not been rung for a lease,
// longest due first, marked as rung now: of several sweepers one gets it.
// $shard:    integer, 0 to 15
// $kinds:    list of texts
// $lease_ms: integer, milliseconds
// $limit:    integer, as many as are then rung: a mark without a ring would cost the event a lease
// returns:   event
// index:     Event(shard, due_at)
MATCH (event:Event)
USING INDEX event:Event(shard, due_at)
WHERE event.shard = $shard
  AND event.due_at <= timestamp()
  AND event.rung_at <= timestamp() - $lease_ms
  AND event.kind IN $kinds
WITH event
ORDER BY event.shard, event.due_at
LIMIT $limit
SET event.locked = true
REMOVE event.locked
WITH event
WHERE event.rung_at <= timestamp() - $lease_ms
SET event.rung_at = timestamp()
RETURN event {.id, .kind, .subject_id, .author_id, .epoch, .cursor, .attempts} AS event
