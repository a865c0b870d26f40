// cypher/posts/news.cypher: those of these pairs of a viewer and a post that are news: the post is
// of an active followee, not hidden, and above the read position of the viewer, who is active.
// Blocks are not checked, because a block deletes the follow.
// $pairs:  list of [viewer id, post id], up to 10,000
// returns: viewer_id, id, author_id, author_name
// index:   User(id); Post(id); FOLLOWS(followee_id, follower_id)
UNWIND $pairs AS pair
MATCH (viewer:User)
WHERE viewer.id = pair[0] AND viewer.state = 'active'
WITH pair, viewer
WHERE pair[1] > coalesce(viewer.read_position, 0)
MATCH (post:Post)
USING INDEX post:Post(id)
WHERE post.id = pair[1] AND post.author_id <> viewer.id AND post.hidden_at IS NULL
MATCH (author:User)
WHERE author.id = post.author_id AND author.state = 'active'
WITH viewer, post, author
WHERE EXISTS {
  MATCH ()-[follows:FOLLOWS]->()
  WHERE follows.followee_id = author.id AND follows.follower_id = viewer.id
}
RETURN viewer.id AS viewer_id, post.id AS id, author.id AS author_id, author.name AS author_name
