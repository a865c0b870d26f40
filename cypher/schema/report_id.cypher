// cypher/schema/report_id.cypher: at most one report with an id.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT report_id IF NOT EXISTS
FOR (node:Report)
REQUIRE node.id IS UNIQUE
