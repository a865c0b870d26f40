// cypher/events/quarantine_page.cypher: a page of events in quarantine, ascending by id.
// $kinds:  list of texts; empty for all
// $after:  integer, an event id, exclusive
// $limit:  integer
// returns: event
// index:   :Quarantined
// sorts:   all events in quarantine, which are few
MATCH (event:Quarantined)
WHERE event.id > $after AND (size($kinds) = 0 OR event.kind IN $kinds)
WITH event
ORDER BY event.id
LIMIT $limit
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event
