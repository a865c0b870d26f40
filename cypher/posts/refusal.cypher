// cypher/posts/refusal.cypher: the facts that explain why a post could not be created: the graph's
// clock, the author and each photo.
// $author_id: integer
// $photo_ids: list of integers, 1 to 10
// returns:    now_ms, active, photos
// index:      User(id); Photo(id)
// expands:    the posts and DeletedPosts of each photo
OPTIONAL MATCH (author:User)
WHERE author.id = $author_id AND author.state = 'active'
RETURN timestamp() AS now_ms, author IS NOT NULL AS active, COLLECT {
  UNWIND $photo_ids AS photo_id
  MATCH (photo:Photo)
  USING INDEX photo:Photo(id)
  WHERE photo.id = photo_id AND photo.owner_id = $author_id AND photo.state <> 'deleted'
  RETURN {
    id: photo.id, state: photo.state, posted: EXISTS { (photo)<-[:SHOWS|SHOWED]-() }
  }
} AS photos
