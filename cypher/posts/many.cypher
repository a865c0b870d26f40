// cypher/posts/many.cypher: posts with their authors and photos.
// Posts that an operator has hidden, and those of users who are not active, are left out. The
// statement does not check who may see them.
// $post_ids: list of integers, up to 1000
// returns:   post, author, photos
// index:     Post(id); User(id)
// expands:   the photos of each post
UNWIND $post_ids AS post_id
MATCH (post:Post)
USING INDEX post:Post(id)
WHERE post.id = post_id AND post.hidden_at IS NULL
MATCH (author:User)
WHERE author.id = post.author_id AND author.state = 'active'
RETURN post {
    .id, .author_id, .caption, .location_name, .created_at,
    latitude: post.coordinates.latitude, longitude: post.coordinates.longitude
  } AS post,
  author {.username, .name} AS author,
  COLLECT {
    MATCH (post)-[shows:SHOWS]->(photo:Photo)
    RETURN photo {
      .id, .path, .width, .height, .blurhash, .alt_text, position: shows.position
    }
  } AS photos
