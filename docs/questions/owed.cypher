// How many events of each kind exist, and how long has the oldest been due?
MATCH (event:Event)
RETURN event.kind AS kind, event:Quarantined AS quarantined, count(event) AS events,
  max(CASE WHEN event.due_at <= timestamp() THEN (timestamp() - event.due_at) / 1000 ELSE 0 END) AS oldest_due_seconds
ORDER BY kind
