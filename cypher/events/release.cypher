// cypher/events/release.cypher: ends a claim that failed because a store was down.
// The claim does not count as an attempt.
// $event_id: integer
// $epoch:    integer, of the claim
// $delay_ms: integer, milliseconds until it is due again
// returns:   event_id
// index:     Event(id)
MATCH (event:Event)
WHERE event.id = $event_id
SET event.locked = true
REMOVE event.locked
WITH event
WHERE event.epoch = $epoch AND NOT event:Quarantined
SET event.due_at = timestamp() + $delay_ms, event.rung_at = 0,
  event.attempts = CASE WHEN event.attempts > 0 THEN event.attempts - 1 ELSE 0 END
RETURN event.id AS event_id
