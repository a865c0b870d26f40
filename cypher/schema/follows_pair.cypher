// cypher/schema/follows_pair.cypher: at most one follow for a pair of users; orders the followers
// of a followee.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT follows_pair IF NOT EXISTS
FOR ()-[pair:FOLLOWS]-()
REQUIRE (pair.followee_id, pair.follower_id) IS UNIQUE
