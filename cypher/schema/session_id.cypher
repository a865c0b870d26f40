// cypher/schema/session_id.cypher: at most one session for an id.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT session_id IF NOT EXISTS
FOR (node:Session)
REQUIRE node.id IS UNIQUE
