// cypher/events/claim.cypher: claims a due event for a lease, or puts it into quarantine after too
// many attempts.
// The event is locked before it is read, so one of several concurrent claims succeeds. The new
// epoch fences the holders of earlier epochs.
// $event_id: integer
// $epoch:    integer, the event's epoch when its worker was woken
// $lease_ms: integer, milliseconds
// $attempts: integer, attempts without progress after which it goes into quarantine
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
  REMOVE event.due_at, event.owed_at
)
FOREACH (_ IN CASE WHEN quarantined THEN [] ELSE [0] END |
  SET event.attempts = event.attempts + 1,
    event.owed_at = coalesce(event.owed_at, event.due_at)
  SET event.due_at = timestamp() + $lease_ms
)
RETURN event {.id, .kind, .subject_id, .author_id, .epoch, .cursor, .attempts} AS event, quarantined
