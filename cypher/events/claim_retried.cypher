// cypher/events/claim_retried.cypher: claims the longest due event of a shard that was tried before,
// for a lease, or puts it into quarantine after too many attempts.
// It is claimed alone, as it may be the one that kills its process.
// $queue:    text
// $shard:    integer, 0 to 15
// $lease_ms: integer, milliseconds
// $attempts: integer, attempts without progress after which it goes into quarantine
// returns:   event, claimed, quarantined
// index:     Event(queue, shard, tried, due_at)
MATCH (event:Event)
USING INDEX event:Event(queue, shard, tried, due_at)
WHERE event.queue = $queue
  AND event.shard = $shard
  AND event.tried = true
  AND event.due_at <= timestamp()
WITH event
ORDER BY event.queue, event.shard, event.tried, event.due_at
LIMIT 1
SET event.locked = true
REMOVE event.locked
WITH event, event.due_at <= timestamp() AND event.tried AS free
WITH event, free AND event.attempts < $attempts AS claimed,
  free AND event.attempts >= $attempts AS quarantined
FOREACH (_ IN CASE WHEN claimed THEN [0] ELSE [] END |
  SET event.epoch = event.epoch + 1, event.attempts = event.attempts + 1,
    event.due_at = timestamp() + $lease_ms
)
FOREACH (_ IN CASE WHEN quarantined THEN [0] ELSE [] END |
  SET event:Quarantined, event.epoch = event.epoch + 1
  REMOVE event.due_at, event.owed_at
)
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event, claimed, quarantined
