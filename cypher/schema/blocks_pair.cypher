// cypher/schema/blocks_pair.cypher: one block a pair; a blocker's blocks in order.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT blocks_pair IF NOT EXISTS
FOR ()-[pair:BLOCKS]-()
REQUIRE (pair.blocker_id, pair.blocked_id) IS UNIQUE
