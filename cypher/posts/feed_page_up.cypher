// cypher/posts/feed_page_up.cypher: the oldest posts above a bound in the viewer's feed, ascending.
// The feed and its posts are those of feed_page.cypher, in the other direction: if no bound is known,
// it is the largest integer.
// $viewer_id: integer
// $after:     integer, exclusive
// $limit:     integer, 1 to 1000
// $few:       integer, 1 to $limit, posts that are read of every author
// returns:    post_ids
// index:      User(id); Post(author_id, id)
// expands:    the viewer's follows
// sorts:      the oldest posts of all authors
MATCH (viewer:User)
WHERE viewer.id = $viewer_id
CALL (viewer) {
  MATCH (viewer)-[:FOLLOWS]->(author:User)
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
  LIMIT $few
}
WITH author_id, post_id
ORDER BY post_id
LIMIT $limit
WITH collect(post_id) AS oldest_ids, collect(author_id) AS author_ids
CALL (oldest_ids, author_ids) {
  UNWIND oldest_ids AS post_id
  RETURN post_id
  UNION ALL
  UNWIND range(0, size(oldest_ids) - 1) AS number
  WITH author_ids[number] AS author_id, max(oldest_ids[number]) AS last_id, count(*) AS found,
    coalesce(oldest_ids[$limit - 1], 9223372036854775807) AS bound
  WHERE found = $few
  CALL (author_id, last_id, bound) {
    MATCH (post:Post)
    USING INDEX post:Post(author_id, id)
    WHERE post.author_id = author_id AND post.id > last_id AND post.id < bound
    RETURN post.id AS post_id
    ORDER BY post.author_id, post.id
    LIMIT $limit
  }
  RETURN post_id
}
WITH post_id
ORDER BY post_id
LIMIT $limit
RETURN collect(post_id) AS post_ids
