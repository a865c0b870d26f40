// cypher/follows/following_before.cypher: a page of a user's followees, descending by id.
// $follower_id: integer
// $before:      integer, exclusive
// $limit:       integer, 1 to 501
// returns:      user_ids
// index:        User(id)
// expands:      all follows of the user
// sorts:        them, because the index of FOLLOWS starts with the followee
MATCH (follower:User)-[follows:FOLLOWS]->()
WHERE follower.id = $follower_id AND follows.followee_id < $before
WITH follows.followee_id AS user_id
ORDER BY user_id DESC
LIMIT $limit
RETURN collect(user_id) AS user_ids
