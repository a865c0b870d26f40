// cypher/events/select_for_wake.cypher: due events of some kinds in one shard that were not woken
// within a lease, longest due first.
// The statement sets their rung_at to now, so one of several sweepers gets each event.
// $shard:    integer, 0 to 15
// $kinds:    list of texts
// $lease_ms: integer, milliseconds
// $limit:    integer; wake a worker for each row, as an event that is marked waits for a lease
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
