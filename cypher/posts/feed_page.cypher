// cypher/posts/feed_page.cypher: the newest posts below a bound in the viewer's feed, and whether
// the viewer has a LEFT.
// The feed is the posts of the viewer and of all followees. Those of a followee who is not active are
// among them: their bodies are absent, and come back if the followee does. No timeline is built while
// a LEFT exists.
// A few posts of every author are read at first. Their $limit newest bound the page from below. Only
// an author all of whose few are among these can have more posts above the bound, and is read again
// (docs/decisions/0016).
// $viewer_id: integer
// $before:    integer, exclusive
// $limit:     integer, 1 to 1000
// $few:       integer, 1 to $limit, posts that are read of every author
// returns:    unfollow_pending, post_ids
// index:      User(id); Post(author_id, id)
// expands:    the viewer's LEFT relationships and follows
// sorts:      the newest posts of all authors
MATCH (viewer:User)
WHERE viewer.id = $viewer_id
WITH viewer.id AS viewer_id, EXISTS { (viewer)-[:LEFT]->() } AS unfollow_pending, COLLECT {
    MATCH (viewer)-[:FOLLOWS]->(author:User)
    RETURN author.id
  } AS followee_ids
CALL (viewer_id, followee_ids) {
  UNWIND followee_ids + [viewer_id] AS author_id
  CALL (author_id) {
    MATCH (post:Post)
    USING INDEX post:Post(author_id, id)
    WHERE post.author_id = author_id AND post.id < $before
    RETURN post.id AS post_id
    ORDER BY post.author_id DESC, post.id DESC
    LIMIT $few
  }
  WITH author_id, post_id
  ORDER BY post_id DESC
  LIMIT $limit
  WITH collect(post_id) AS newest_ids, collect(author_id) AS author_ids
  CALL (newest_ids, author_ids) {
    UNWIND newest_ids AS post_id
    RETURN post_id
    UNION ALL
    UNWIND range(0, size(newest_ids) - 1) AS number
    WITH author_ids[number] AS author_id, min(newest_ids[number]) AS last_id, count(*) AS found,
      coalesce(newest_ids[$limit - 1], 0) AS bound
    WHERE found = $few
    CALL (author_id, last_id, bound) {
      MATCH (post:Post)
      USING INDEX post:Post(author_id, id)
      WHERE post.author_id = author_id AND post.id < last_id AND post.id > bound
      RETURN post.id AS post_id
      ORDER BY post.author_id DESC, post.id DESC
      LIMIT $limit
    }
    RETURN post_id
  }
  WITH post_id
  ORDER BY post_id DESC
  LIMIT $limit
  RETURN collect(post_id) AS post_ids
}
RETURN unfollow_pending, post_ids
