// cypher/events/requeue.cypher: takes an event out of quarantine, makes it due and owed now and
// resets its attempts.
// $event_id: integer
// returns:   event
// index:     Event(id)
MATCH (event:Event)
WHERE event.id = $event_id
SET event.locked = true
REMOVE event.locked
WITH event
WHERE event:Quarantined
REMOVE event:Quarantined
SET event.epoch = event.epoch + 1, event.attempts = 0, event.tried = false,
  event.due_at = timestamp(), event.owed_at = timestamp()
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event
