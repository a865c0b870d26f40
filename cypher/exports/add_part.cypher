// cypher/exports/add_part.cypher: records a part whose object is stored, and the progress of its
// event. The last part makes the export ready.
// The event is locked before the export. A repeat changes nothing and has the same row. No row is
// returned if another worker has claimed the event, if the export has ended, or if its user is not
// active: such a part lacks the user's posts. The part that follows is owed from now on, so an
// export of many parts does not look late.
// $event_id:   integer
// $epoch:      integer, of the claim
// $lease_ms:   integer, milliseconds
// $export_id:  integer
// $number:     integer, of the part, from 1
// $size_bytes: integer
// $missing:    integer, files that could not be read
// $section:    text, where the next part begins
// $before:     integer, exclusive: where it begins in the section
// $is_last:    boolean
// $life_ms:    integer, milliseconds until the export fails without a further part, or until its
//              links end
// returns:     state
// index:       Event(id); Export(id); User(id)
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
WITH event, export
OPTIONAL MATCH (user:User)
WHERE user.id = export.user_id AND user.state = 'active'
WITH event, export, user, size(export.part_sizes) AS parts
WHERE parts = $number - 1 AND export.state = 'running' AND user IS NOT NULL
  OR parts = $number AND export.part_epochs[-1] = $epoch
FOREACH (_ IN CASE WHEN parts = $number THEN [] ELSE [0] END |
  SET export.part_sizes = export.part_sizes + $size_bytes,
    export.part_epochs = export.part_epochs + $epoch,
    export.missing_count = export.missing_count + $missing, export.section = $section,
    export.before = $before, export.state_until = timestamp() + $life_ms,
    export.state = CASE WHEN $is_last THEN 'ready' ELSE 'running' END
  SET event.cursor = $number, event.attempts = 0, event.tried = false,
    event.due_at = timestamp() + $lease_ms, event.owed_at = timestamp()
)
RETURN export.state AS state
