// cypher/posts/visible_ids.cypher: those of these posts that belong in a viewer's feed: the
// viewer's own, and those of active followees, without hidden ones.
// Blocks are not checked, because a block deletes the follow.
// $post_ids:  list of integers, up to 1000
// $viewer_id: integer
// returns:    post_ids
// index:      Post(id); User(id); FOLLOWS(followee_id, follower_id)
UNWIND $post_ids AS post_id
MATCH (post:Post)
USING INDEX post:Post(id)
WHERE post.id = post_id AND post.hidden_at IS NULL
MATCH (author:User)
WHERE author.id = post.author_id AND author.state = 'active'
WITH post, author
WHERE author.id = $viewer_id OR EXISTS {
  MATCH ()-[follows:FOLLOWS]->()
  WHERE follows.followee_id = author.id AND follows.follower_id = $viewer_id
}
RETURN collect(post.id) AS post_ids
