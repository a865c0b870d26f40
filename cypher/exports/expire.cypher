// cypher/exports/expire.cypher: ends the states of exports whose time is over, longest over first.
// Ready exports become expired, and unfinished ones failed; their objects are due to be removed.
// Failed and expired ones are deleted, or put off while they can have objects.
// $limit:      integer
// $code:       text, why an unfinished export has failed
// $life_ms:    integer, milliseconds until an ended export is deleted
// $late_ms:    integer, milliseconds until no fenced worker stores an object any more
// $put_off_ms: integer, milliseconds
// returns:     cleared, failed_ids
// index:       Export(state_until)
MATCH (export:Export)
USING INDEX export:Export(state_until)
WHERE export.state_until < timestamp()
WITH export
ORDER BY export.state_until
LIMIT $limit
SET export.locked = true
REMOVE export.locked
WITH export, export.id AS export_id, CASE
    WHEN export.state_until >= timestamp() OR export.state_until IS NULL THEN 'changed'
    WHEN export.state = 'ready' THEN 'expired'
    WHEN export.state IN ['waiting', 'running'] THEN 'failed'
    WHEN export.objects_until IS NOT NULL THEN 'put off'
    ELSE 'deleted'
  END AS outcome
FOREACH (_ IN CASE outcome WHEN 'expired' THEN [0] ELSE [] END |
  SET export.state = 'expired', export.state_until = timestamp() + $life_ms,
    export.objects_until = timestamp()
)
FOREACH (_ IN CASE outcome WHEN 'failed' THEN [0] ELSE [] END |
  SET export.state = 'failed', export.failure_code = $code,
    export.state_until = timestamp() + $life_ms, export.objects_until = timestamp() + $late_ms
)
FOREACH (_ IN CASE outcome WHEN 'put off' THEN [0] ELSE [] END |
  SET export.state_until = timestamp() + $put_off_ms
)
FOREACH (_ IN CASE outcome WHEN 'deleted' THEN [0] ELSE [] END |
  DELETE export
)
RETURN count(*) AS cleared,
  collect(CASE outcome WHEN 'failed' THEN export_id END) AS failed_ids
