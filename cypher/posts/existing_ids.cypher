// cypher/posts/existing_ids.cypher: those of these posts that exist, also hidden ones and those of
// users who are not active.
// $post_ids: list of integers, up to 1000
// returns:   post_ids
// index:     Post(id)
UNWIND $post_ids AS post_id
MATCH (post:Post)
USING INDEX post:Post(id)
WHERE post.id = post_id
RETURN collect(post.id) AS post_ids
