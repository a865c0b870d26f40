// Which users could a user follow: those whom many of their followees follow?
// :param username => 'ana'
MATCH (me:User {username_ci: toLower($username)})-[:FOLLOWS]->(followee:User)-[:FOLLOWS]->(other:User)
WHERE other <> me
  AND followee.state = 'active'
  AND other.state = 'active'
  AND NOT EXISTS { (me)-[:FOLLOWS]->(other) }
  AND NOT EXISTS { (me)-[:BLOCKS]-(other) }
RETURN other.username AS username, count(followee) AS followed_by, collect(followee.username)[..5] AS among_them
ORDER BY followed_by DESC, username
LIMIT 20
