// cypher/follows/followed_at.cypher: the times of follows. A pair without a follow has no row.
// $pairs:  list of [follower id, followee id]
// returns: follower_id, followee_id, followed_at
// index:   FOLLOWS(followee_id, follower_id)
UNWIND $pairs AS pair
MATCH ()-[follows:FOLLOWS]->()
WHERE follows.followee_id = pair[1] AND follows.follower_id = pair[0]
RETURN pair[0] AS follower_id, pair[1] AS followee_id, follows.created_at AS followed_at
