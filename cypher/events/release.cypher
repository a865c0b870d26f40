// cypher/events/release.cypher: ends claims that are no attempts: a store was down, or there was no
// time.
// The new epoch makes a repeat of the statement harmless. An event that has been owed for longer
// than $longest_ms goes into quarantine instead.
// $claims:     list of [event id, epoch]
// $delay_ms:   integer, milliseconds until they are due again
// $longest_ms: integer, milliseconds
// $is_owed:    boolean; false if the work is owed from the end of the delay on
// returns:     event_id, quarantined
// index:       Event(id)
UNWIND $claims AS claim
MATCH (event:Event)
WHERE event.id = claim[0]
SET event.locked = true
REMOVE event.locked
WITH event, claim
WHERE event.epoch = claim[1] AND NOT event:Quarantined
WITH event, timestamp() - coalesce(event.owed_at, timestamp()) > $longest_ms AS quarantined,
  CASE WHEN event.attempts > 0 THEN event.attempts - 1 ELSE 0 END AS attempts
SET event.epoch = event.epoch + 1
FOREACH (_ IN CASE WHEN quarantined THEN [0] ELSE [] END |
  SET event:Quarantined
  REMOVE event.due_at, event.owed_at
)
FOREACH (_ IN CASE WHEN quarantined THEN [] ELSE [0] END |
  SET event.due_at = timestamp() + $delay_ms, event.attempts = attempts, event.tried = attempts > 0,
    event.owed_at = CASE WHEN $is_owed THEN event.owed_at ELSE timestamp() + $delay_ms END
)
RETURN event.id AS event_id, quarantined
