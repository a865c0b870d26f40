// cypher/events/finish.cypher: deletes claimed events whose work is done.
// $claims: list of [event id, epoch]
// returns: event_id
// index:   Event(id)
UNWIND $claims AS claim
MATCH (event:Event)
WHERE event.id = claim[0]
SET event.locked = true
REMOVE event.locked
WITH event, event.id AS event_id, claim
WHERE event.epoch = claim[1] AND NOT event:Quarantined
DELETE event
RETURN event_id
