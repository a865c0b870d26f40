// cypher/events/quarantined.cypher: events in quarantine, oldest first.
// $limit:  integer
// returns: event
// index:   :Quarantined
// sorts:   them, as they are few
MATCH (event:Quarantined)
WITH event
ORDER BY event.id
LIMIT $limit
RETURN event {.id, .kind, .subject_id, .author_id, .epoch, .cursor, .attempts} AS event
