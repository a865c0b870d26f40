// cypher/schema/user_username.cypher: one user a name, however it is written.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT user_username IF NOT EXISTS
FOR (node:User)
REQUIRE node.username_ci IS UNIQUE
