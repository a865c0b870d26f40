// Which users have the most followers, and how many posts have they?
MATCH (person:User)
WHERE person.state = 'active'
RETURN person.username AS username,
  COUNT { (person)<-[:FOLLOWS]-() } AS followers,
  COUNT { (person)-[:POSTED]->() } AS posts
ORDER BY followers DESC, username
LIMIT 20
