// cypher/exports/set_without_objects.cypher: records that the objects of an export are removed, or
// when they are due again.
// $export_id:  integer
// $is_removed: boolean
// $put_off_ms: integer, milliseconds
// returns:     export_id
// index:       Export(id)
MATCH (export:Export)
WHERE export.id = $export_id
SET export.locked = true
REMOVE export.locked
WITH export
WHERE export.objects_until < timestamp()
SET export.objects_until = CASE WHEN $is_removed THEN null ELSE timestamp() + $put_off_ms END
RETURN export.id AS export_id
