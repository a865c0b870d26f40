// cypher/events/renew.cypher: renews the lease of a claimed event without progress.
// $event_id: integer
// $epoch:    integer, of the claim
// $lease_ms: integer, milliseconds
// returns:   event_id
// index:     Event(id)
MATCH (event:Event)
WHERE event.id = $event_id
SET event.locked = true
REMOVE event.locked
WITH event
WHERE event.epoch = $epoch AND NOT event:Quarantined
SET event.due_at = timestamp() + $lease_ms
RETURN event.id AS event_id
