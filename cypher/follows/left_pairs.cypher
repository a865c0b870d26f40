// cypher/follows/left_pairs.cypher: those of some pairs that have a LEFT.
// $pairs:  list of [follower id, followee id]
// returns: follower_id, followee_id
// index:   LEFT(follower_id, followee_id)
UNWIND $pairs AS pair
MATCH ()-[ended_follow:LEFT]->()
WHERE ended_follow.follower_id = pair[0] AND ended_follow.followee_id = pair[1]
RETURN ended_follow.follower_id AS follower_id, ended_follow.followee_id AS followee_id
