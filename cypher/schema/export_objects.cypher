// cypher/schema/export_objects.cypher: orders exports by when the sweeper removes their
// objects; of most exports it removes none now.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX export_objects IF NOT EXISTS
FOR (node:Export)
ON (node.objects_until)
