// cypher/events/quarantine.cypher: puts an event into quarantine.
// The new epoch fences a worker that holds the event.
// $event_id: integer
// returns:   event
// index:     Event(id)
MATCH (event:Event)
WHERE event.id = $event_id
SET event.locked = true
REMOVE event.locked
WITH event
WHERE NOT event:Quarantined
SET event:Quarantined, event.epoch = event.epoch + 1
REMOVE event.due_at, event.owed_at
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event
