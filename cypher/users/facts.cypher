// cypher/users/facts.cypher: the counts of a user, and the user's relationships with the viewer.
// Whom a block hides from the viewer is not counted, as lists leave them out. Some blocks alone are
// looked at: somebody whom thousands block must not cost a look at all of them.
// $user_id:     integer
// $viewer_id:   integer
// $most_hidden: integer, blocks of the viewer, in both directions, that are looked at
// returns:      follower_count, following_count, post_count, following, followed_by, blocking
// index:        User(id); FOLLOWS(followee_id, follower_id); BLOCKS(blocker_id, blocked_id)
// expands:      the viewer's blocks, up to $most_hidden
MATCH (user:User)
WHERE user.id = $user_id
CALL (user) {
  OPTIONAL MATCH (viewer:User)
  WHERE viewer.id = $viewer_id
  OPTIONAL MATCH (viewer)-[:BLOCKS]-(other:User)
  WITH DISTINCT user, other.id AS hidden_id
  LIMIT $most_hidden
  RETURN sum(CASE WHEN EXISTS {
      MATCH ()-[hidden_follow:FOLLOWS]->()
      WHERE hidden_follow.followee_id = $user_id AND hidden_follow.follower_id = hidden_id
    } THEN 1 ELSE 0 END) AS hidden_followers,
    sum(CASE WHEN EXISTS {
      MATCH ()-[hidden_follow:FOLLOWS]->()
      WHERE hidden_follow.followee_id = hidden_id AND hidden_follow.follower_id = $user_id
    } THEN 1 ELSE 0 END) AS hidden_followees
}
RETURN COUNT { (user)<-[:FOLLOWS]-() } - hidden_followers AS follower_count,
  COUNT { (user)-[:FOLLOWS]->() } - hidden_followees AS following_count,
  COUNT { (user)-[:POSTED]->() } AS post_count,
  EXISTS {
    MATCH ()-[follow:FOLLOWS]->()
    WHERE follow.followee_id = $user_id AND follow.follower_id = $viewer_id
  } AS following,
  EXISTS {
    MATCH ()-[follow_back:FOLLOWS]->()
    WHERE follow_back.followee_id = $viewer_id AND follow_back.follower_id = $user_id
  } AS followed_by,
  EXISTS {
    MATCH ()-[block:BLOCKS]->()
    WHERE block.blocker_id = $viewer_id AND block.blocked_id = $user_id
  } AS blocking
