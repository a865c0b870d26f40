// cypher/schema/user_username.cypher: at most one user for a folded name.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT user_username IF NOT EXISTS
FOR (node:User)
REQUIRE node.username_ci IS UNIQUE
