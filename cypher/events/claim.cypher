// cypher/events/claim.cypher: takes a due event for a lease, or into quarantine after too many tries.
// Locked before it is read, so one of many wins; the epoch fences the others.
// $event_id: integer
// $epoch:    integer, as it was rung
// $lease_ms: integer, milliseconds
// $attempts: integer, after how many without progress it goes into quarantine
// returns:   event, quarantined
// index:     Event(id)
MATCH (event:Event)
WHERE event.id = $event_id
SET event.locked = true
REMOVE event.locked
WITH event
WHERE event.epoch = $epoch AND event.due_at <= timestamp()
WITH event, event.attempts >= $attempts AS quarantined
SET event.epoch = event.epoch + 1
FOREACH (_ IN CASE WHEN quarantined THEN [0] ELSE [] END |
  SET event:Quarantined
  REMOVE event.due_at
)
FOREACH (_ IN CASE WHEN quarantined THEN [] ELSE [0] END |
  SET event.attempts = event.attempts + 1, event.due_at = timestamp() + $lease_ms
)
RETURN event {.id, .kind, .subject_id, .author_id, .epoch, .cursor, .attempts} AS event, quarantined
