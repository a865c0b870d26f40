// cypher/schema/user_id.cypher: at most one user for an id.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT user_id IF NOT EXISTS
FOR (node:User)
REQUIRE node.id IS UNIQUE
