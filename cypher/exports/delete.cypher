// cypher/exports/delete.cypher: deletes an export of a user that is being deleted, once its objects
// are removed.
// $export_id: integer
// $user_id:   integer
// returns:    deleted
// index:      Export(id)
MATCH (export:Export)
USING INDEX export:Export(id)
WHERE export.id = $export_id AND export.user_id = $user_id
DELETE export
RETURN count(*) AS deleted
