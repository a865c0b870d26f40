// cypher/schema/follows_pair.cypher: one follow a pair; a followee's followers in order.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT follows_pair IF NOT EXISTS
FOR ()-[pair:FOLLOWS]-()
REQUIRE (pair.followee_id, pair.follower_id) IS UNIQUE
