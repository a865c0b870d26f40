// cypher/follows/first_followers.cypher: the first followers of several authors, ascending by id, a
// list for each.
// $followee_ids: list of integers
// $limit:        integer, followers of one author
// returns:       followee_id, follower_ids
// index:         FOLLOWS(followee_id, follower_id)
UNWIND $followee_ids AS followee_id
CALL (followee_id) {
  MATCH ()-[follows:FOLLOWS]->()
  WHERE follows.followee_id = followee_id AND follows.follower_id > -1
  WITH follows.follower_id AS follower_id
  ORDER BY follows.followee_id, follows.follower_id
  LIMIT $limit
  RETURN collect(follower_id) AS follower_ids
}
RETURN followee_id, follower_ids
