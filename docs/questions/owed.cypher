// How many events of each kind exist, and how long has the oldest been owed?
MATCH (event:Event)
RETURN event.kind AS kind, event:Quarantined AS quarantined, count(event) AS events,
  max(CASE WHEN event.owed_at <= timestamp() THEN (timestamp() - event.owed_at) / 1000 ELSE 0 END) AS oldest_owed_seconds
ORDER BY kind
