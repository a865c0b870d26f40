// cypher/follows/followers_before.cypher: a page of a user's followers, descending by id.
// $followee_id: integer
// $before:      integer, exclusive
// $limit:       integer, 1 to 501
// returns:      user_ids
// index:        FOLLOWS(followee_id, follower_id)
MATCH ()-[follows:FOLLOWS]->()
WHERE follows.followee_id = $followee_id AND follows.follower_id < $before
WITH follows.follower_id AS user_id
ORDER BY follows.followee_id DESC, follows.follower_id DESC
LIMIT $limit
RETURN collect(user_id) AS user_ids
