// cypher/follows/followed_at.cypher: the time of a follow. No row is returned without a follow.
// $follower_id: integer
// $followee_id: integer
// returns:      followed_at
// index:        FOLLOWS(followee_id, follower_id)
MATCH ()-[follows:FOLLOWS]->()
WHERE follows.followee_id = $followee_id AND follows.follower_id = $follower_id
RETURN follows.created_at AS followed_at
