// cypher/events/finish.cypher: deletes a claimed event whose work is done.
// $event_id: integer
// $epoch:    integer, of the claim
// returns:   event_id
// index:     Event(id)
MATCH (event:Event)
WHERE event.id = $event_id
SET event.locked = true
REMOVE event.locked
WITH event, event.id AS event_id
WHERE event.epoch = $epoch AND NOT event:Quarantined
DELETE event
RETURN event_id
