// cypher/events/claim_fairly.cypher: claims one due event of a shard that was never tried, of the
// author who was served longest ago, for a lease.
// Only so many events are looked at, longest due first, as one author may have any number.
// $queue:    text
// $shard:    integer, 0 to 15
// $window:   integer, events that are looked at
// $served:   list of integers, the ids of authors who were served lately, the latest last
// $lease_ms: integer, milliseconds
// returns:   events, more, retried_due
// index:     Event(queue, shard, tried, due_at)
// sorts:     one event of each author in the window
MATCH (event:Event)
USING INDEX event:Event(queue, shard, tried, due_at)
WHERE event.queue = $queue
  AND event.shard = $shard
  AND event.tried = false
  AND event.due_at <= timestamp()
WITH event
ORDER BY event.queue, event.shard, event.tried, event.due_at
LIMIT $window
WITH event.author_id AS author_id, collect(event) AS own
WITH own[0] AS event, size(own) AS count,
  last([at IN range(0, size($served) - 1) WHERE $served[at] = author_id]) AS served_at
ORDER BY coalesce(served_at, -1), event.due_at
WITH collect(event) AS due, sum(count) > 1 AS more
CALL (due) {
  UNWIND due[..1] AS event
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
RETURN events, more, EXISTS {
  MATCH (retried:Event)
  WHERE retried.queue = $queue
    AND retried.shard = $shard
    AND retried.tried = true
    AND retried.due_at <= timestamp()
} AS retried_due
