// cypher/schema/left_pair.cypher: at most one LEFT for a pair of users.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT left_pair IF NOT EXISTS
FOR ()-[pair:LEFT]-()
REQUIRE (pair.follower_id, pair.followee_id) IS UNIQUE
