// Which posts were taken within 50 km of a place, nearest first?
// :param latitude => 38.7223
// :param longitude => -9.1393
WITH point({latitude: $latitude, longitude: $longitude}) AS here
MATCH (author:User)-[:POSTED]->(post:Post)
WHERE author.state = 'active' AND point.distance(post.coordinates, here) < 50000
RETURN author.username AS username, post.location_name AS place, post.caption AS caption,
  round(point.distance(post.coordinates, here) / 1000, 1) AS kilometres
ORDER BY kilometres, post.id DESC
LIMIT 50
