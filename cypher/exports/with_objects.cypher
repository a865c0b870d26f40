// cypher/exports/with_objects.cypher: exports whose objects are due to be removed, longest due
// first.
// $limit:  integer
// returns: export_id, path
// index:   Export(objects_until)
MATCH (export:Export)
USING INDEX export:Export(objects_until)
WHERE export.objects_until < timestamp()
RETURN export.id AS export_id, export.path AS path
ORDER BY export.objects_until
LIMIT $limit
