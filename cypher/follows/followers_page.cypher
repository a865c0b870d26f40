// cypher/follows/followers_page.cypher: a page of an author's followers, ascending by id, as one
// list.
// It is read from the index of the relationship, never from the node.
// $followee_id: integer
// $after:       integer, exclusive
// $limit:       integer, 1 to 25000
// returns:      follower_ids
// index:        FOLLOWS(followee_id, follower_id)
MATCH ()-[follows:FOLLOWS]->()
WHERE follows.followee_id = $followee_id AND follows.follower_id > $after
WITH follows.follower_id AS follower_id
ORDER BY follows.followee_id, follows.follower_id
LIMIT $limit
RETURN collect(follower_id) AS follower_ids
