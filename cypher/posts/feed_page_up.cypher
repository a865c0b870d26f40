// cypher/posts/feed_page_up.cypher: the oldest posts above a bound in the viewer's feed, ascending.
// The feed is the posts of the viewer and of all active followees.
// $viewer_id: integer
// $after:     integer, exclusive
// $limit:     integer, 1 to 1000
// returns:    post_ids
// index:      User(id); Post(author_id, id)
// expands:    the viewer's follows
// sorts:      the oldest posts of all authors
MATCH (viewer:User)
WHERE viewer.id = $viewer_id
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
  WHERE post.author_id = author_id AND post.id > $after
  RETURN post.id AS post_id
  ORDER BY post.author_id, post.id
  LIMIT $limit
}
WITH post_id
ORDER BY post_id
LIMIT $limit
RETURN collect(post_id) AS post_ids
