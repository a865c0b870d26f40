// cypher/schema/session_id.cypher: one session an id.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT session_id IF NOT EXISTS
FOR (node:Session)
REQUIRE node.id IS UNIQUE
