// cypher/users/facts.cypher: the counts of a user, and the user's relationships with the viewer.
// $user_id:   integer
// $viewer_id: integer
// returns:    follower_count, following_count, post_count, following, followed_by, blocking
// index:      User(id); FOLLOWS(followee_id, follower_id); BLOCKS(blocker_id, blocked_id)
MATCH (user:User)
WHERE user.id = $user_id
RETURN COUNT { (user)<-[:FOLLOWS]-() } AS follower_count,
  COUNT { (user)-[:FOLLOWS]->() } AS following_count,
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
