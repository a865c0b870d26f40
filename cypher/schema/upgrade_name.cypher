// cypher/schema/upgrade_name.cypher: at most one upgrade of a name.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT upgrade_name IF NOT EXISTS
FOR (node:Upgrade)
REQUIRE node.name IS UNIQUE
