// cypher/events/by_id.cypher: an event and its state.
// $event_id: integer
// returns:   event, quarantined, due_in_seconds, owed_seconds
// index:     Event(id)
MATCH (event:Event)
WHERE event.id = $event_id
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event,
  event:Quarantined AS quarantined,
  (event.due_at - timestamp()) / 1000.0 AS due_in_seconds,
  (timestamp() - event.owed_at) / 1000.0 AS owed_seconds
