// cypher/events/advance.cypher: stores the progress of a claimed event, renews its lease and resets
// its attempts.
// $event_id: integer
// $epoch:    integer, of the claim
// $cursor:   integer
// $lease_ms: integer, milliseconds
// returns:   event_id
// index:     Event(id)
MATCH (event:Event)
WHERE event.id = $event_id
SET event.locked = true
REMOVE event.locked
WITH event
WHERE event.epoch = $epoch AND NOT event:Quarantined
SET event.cursor = $cursor, event.attempts = 0, event.tried = false,
  event.due_at = timestamp() + $lease_ms
RETURN event.id AS event_id
