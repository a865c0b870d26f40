// cypher/exports/set_failed.cypher: changes an unfinished export to failed.
// No row is returned if another worker has claimed the event, or if the export has ended.
// $event_id:  integer
// $epoch:     integer, of the claim
// $export_id: integer
// $code:      text, the reason
// $life_ms:   integer, milliseconds until the node is deleted
// $late_ms:   integer, milliseconds until no fenced worker stores an object any more
// returns:    export_id
// index:      Event(id); Export(id)
MATCH (event:Event)
WHERE event.id = $event_id
SET event.locked = true
REMOVE event.locked
WITH event
WHERE event.epoch = $epoch AND NOT event:Quarantined
MATCH (export:Export)
WHERE export.id = $export_id
SET export.locked = true
REMOVE export.locked
WITH export
WHERE export.state IN ['waiting', 'running']
SET export.state = 'failed', export.failure_code = $code,
  export.state_until = timestamp() + $life_ms, export.objects_until = timestamp() + $late_ms
RETURN export.id AS export_id
