// cypher/moderation/post.cypher: the author of a post, and whether an operator has hidden it.
// $post_id: integer
// returns:  author_id, hidden
// index:    Post(id)
MATCH (post:Post)
USING INDEX post:Post(id)
WHERE post.id = $post_id
RETURN post.author_id AS author_id, post.hidden_at IS NOT NULL AS hidden
