// cypher/posts/unread.cypher: the number of posts above an id by the viewer's active followees,
// without hidden ones, counted up to a limit.
// $viewer_id: integer
// $after:     integer, exclusive
// $limit:     integer, 1 to 1000
// returns:    count
// index:      User(id); Post(author_id, id)
// expands:    the viewer's follows
MATCH (viewer:User)
WHERE viewer.id = $viewer_id
CALL (viewer) {
  MATCH (viewer)-[:FOLLOWS]->(author:User)
  WHERE author.state = 'active'
  CALL (author) {
    MATCH (post:Post)
    USING INDEX post:Post(author_id, id)
    WHERE post.author_id = author.id AND post.id > $after AND post.hidden_at IS NULL
    RETURN post.id AS post_id
    LIMIT $limit
  }
  WITH post_id
  LIMIT $limit
  RETURN count(post_id) AS count
}
RETURN count
