// cypher/events/claim.cypher: claims due events of a shard that were never tried, longest due first,
// for a lease.
// Each event is locked and looked at again, so one of several concurrent claims gets it.
// $queue:    text
// $shard:    integer, 0 to 15
// $limit:    integer
// $lease_ms: integer, milliseconds
// returns:   events, more, retried_due
// index:     Event(queue, shard, tried, due_at)
MATCH (event:Event)
USING INDEX event:Event(queue, shard, tried, due_at)
WHERE event.queue = $queue
  AND event.shard = $shard
  AND event.tried = false
  AND event.due_at <= timestamp()
WITH event
ORDER BY event.queue, event.shard, event.tried, event.due_at
LIMIT $limit + 1
WITH collect(event) AS due
CALL (due) {
  UNWIND due[..$limit] AS event
  SET event.locked = true
  REMOVE event.locked
  WITH event
  WHERE event.due_at <= timestamp() AND NOT event.tried
  SET event.epoch = event.epoch + 1, event.attempts = event.attempts + 1, event.tried = true,
    event.due_at = timestamp() + $lease_ms
  RETURN collect(event {
    .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
  }) AS events
}
RETURN events, size(due) > $limit AS more, EXISTS {
  MATCH (retried:Event)
  WHERE retried.queue = $queue
    AND retried.shard = $shard
    AND retried.tried = true
    AND retried.due_at <= timestamp()
} AS retried_due
