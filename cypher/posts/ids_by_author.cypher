// cypher/posts/ids_by_author.cypher: one author's posts, newest first.
// $author_id: integer
// $before:    integer, exclusive
// $limit:     integer, 1 to 1000
// returns:    post_ids
// index:      Post(author_id, id)
MATCH (post:Post)
USING INDEX post:Post(author_id, id)
WHERE post.author_id = $author_id AND post.id < $before
WITH post.id AS post_id
ORDER BY post.author_id DESC, post.id DESC
LIMIT $limit
RETURN collect(post_id) AS post_ids
