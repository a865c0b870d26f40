// cypher/schema/shows_photo.cypher: at most one post shows a photo.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT shows_photo IF NOT EXISTS
FOR ()-[pair:SHOWS]-()
REQUIRE pair.photo_id IS UNIQUE
