// cypher/posts/feed_page.cypher: the newest posts below a bound of the viewer and everybody active whom
// they follow, and whether the viewer is leaving somebody (then no list of theirs is built).
// $viewer_id: integer
// $before:    integer, exclusive
// $limit:     integer, 1 to 1000
// returns:    held, post_ids
// index:      User(id); Post(author_id, id)
// expands:    whom the viewer is leaving, whom they follow
// sorts:      the newest of each author against one another
MATCH (viewer:User)
WHERE viewer.id = $viewer_id
WITH viewer, EXISTS { (viewer)-[:LEFT]->() } AS held
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
RETURN held, post_ids
