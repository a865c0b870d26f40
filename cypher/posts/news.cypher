// cypher/posts/news.cypher: for each of some viewers, those of these posts that are news: of active
// followees, above the viewer's read position, and not the viewer's own.
// Blocks are not checked, because a block deletes the follow. No row is returned for a viewer who
// does not exist or is not active.
// $feeds:  list of [viewer id, post ids], together up to 10,000 posts
// returns: viewer_id, posts
// index:   User(id); Post(id); FOLLOWS(followee_id, follower_id)
// sorts:   the posts of each viewer
UNWIND $feeds AS feed
MATCH (viewer:User)
WHERE viewer.id = feed[0] AND viewer.state = 'active'
WITH viewer, feed, coalesce(viewer.read_position, 0) AS read_position
CALL (viewer, feed, read_position) {
  UNWIND feed[1] AS post_id
  WITH viewer, read_position, post_id
  WHERE post_id > read_position
  MATCH (post:Post)
  USING INDEX post:Post(id)
  WHERE post.id = post_id AND post.author_id <> viewer.id
  MATCH (author:User)
  WHERE author.id = post.author_id AND author.state = 'active' AND EXISTS {
    MATCH ()-[follows:FOLLOWS]->()
    WHERE follows.followee_id = author.id AND follows.follower_id = viewer.id
  }
  WITH post, author
  ORDER BY post.id DESC
  RETURN collect({id: post.id, author_id: author.id, author_name: author.name}) AS posts
}
RETURN viewer.id AS viewer_id, posts
