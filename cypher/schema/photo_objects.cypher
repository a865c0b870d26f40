// cypher/schema/photo_objects.cypher: orders photos by when the sweeper removes their
// objects; of most photos it removes none.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX photo_objects IF NOT EXISTS
FOR (node:Photo)
ON (node.objects_until)
