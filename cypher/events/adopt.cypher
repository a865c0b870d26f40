// cypher/events/adopt.cypher: gives events of the version before the properties by which this one
// claims them.
// $queues: map of texts by kind; an event of an unknown kind stays as it is
// $limit:  integer
// returns: queue, shard
// index:   Event(rung_at)
MATCH (event:Event)
USING INDEX event:Event(rung_at)
WHERE event.rung_at >= 0
WITH event
LIMIT $limit
SET event.locked = true
REMOVE event.locked
WITH event, coalesce(event.queue, $queues[event.kind]) AS queue
WHERE event.rung_at IS NOT NULL AND queue IS NOT NULL
SET event.queue = queue, event.tried = event.attempts > 0,
  event.owed_at = CASE
    WHEN event:Quarantined THEN null
    ELSE coalesce(event.owed_at, event.due_at)
  END
REMOVE event.rung_at
RETURN event.queue AS queue, event.shard AS shard
