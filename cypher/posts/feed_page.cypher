// cypher/posts/feed_page.cypher: the newest posts below a bound in the viewer's feed, and whether
// the viewer has a LEFT.
// The feed is the posts of the viewer and of all active followees. No timeline is built while a
// LEFT exists.
// $viewer_id: integer
// $before:    integer, exclusive
// $limit:     integer, 1 to 1000
// returns:    unfollow_pending, post_ids
// index:      User(id); Post(author_id, id)
// expands:    the viewer's LEFT relationships and follows
// sorts:      the newest posts of all authors
MATCH (viewer:User)
WHERE viewer.id = $viewer_id
WITH viewer, EXISTS { (viewer)-[:LEFT]->() } AS unfollow_pending
CALL (viewer) {
  CALL (viewer) {
    MATCH (viewer)-[:FOLLOWS]->(author:User)
    WHERE author.state = 'active'
    RETURN author.id AS author_id
    UNION ALL
    RETURN viewer.id AS author_id
  }
  CALL (author_id) {
    MATCH (post:Post)
    USING INDEX post:Post(author_id, id)
    WHERE post.author_id = author_id AND post.id < $before
    RETURN post.id AS post_id
    ORDER BY post.author_id DESC, post.id DESC
    LIMIT $limit
  }
  WITH post_id
  ORDER BY post_id DESC
  LIMIT $limit
  RETURN collect(post_id) AS post_ids
}
RETURN unfollow_pending, post_ids
