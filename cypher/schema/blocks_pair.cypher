// cypher/schema/blocks_pair.cypher: at most one block for a pair of users; orders the blocks of a
// blocker.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT blocks_pair IF NOT EXISTS
FOR ()-[pair:BLOCKS]-()
REQUIRE (pair.blocker_id, pair.blocked_id) IS UNIQUE
