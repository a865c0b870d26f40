// cypher/events/release.cypher: ends a claim that failed because a store was down.
// The claim does not count as an attempt. An event that has been owed for longer than $longest_ms
// goes into quarantine instead.
// $event_id:   integer
// $epoch:      integer, of the claim
// $delay_ms:   integer, milliseconds until it is due again
// $longest_ms: integer, milliseconds
// returns:     event_id, quarantined
// index:       Event(id)
MATCH (event:Event)
WHERE event.id = $event_id
SET event.locked = true
REMOVE event.locked
WITH event
WHERE event.epoch = $epoch AND NOT event:Quarantined
WITH event, timestamp() - coalesce(event.owed_at, timestamp()) > $longest_ms AS quarantined
FOREACH (_ IN CASE WHEN quarantined THEN [0] ELSE [] END |
  SET event:Quarantined, event.epoch = event.epoch + 1
  REMOVE event.due_at, event.owed_at
)
FOREACH (_ IN CASE WHEN quarantined THEN [] ELSE [0] END |
  SET event.due_at = timestamp() + $delay_ms, event.rung_at = 0,
    event.attempts = CASE WHEN event.attempts > 0 THEN event.attempts - 1 ELSE 0 END
)
RETURN event.id AS event_id, quarantined
