// cypher/schema/export_id.cypher: at most one export for an id.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT export_id IF NOT EXISTS
FOR (node:Export)
REQUIRE node.id IS UNIQUE
