// cypher/schema/shows_photo.cypher: a photo stands in one post.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT shows_photo IF NOT EXISTS
FOR ()-[pair:SHOWS]-()
REQUIRE pair.photo_id IS UNIQUE
