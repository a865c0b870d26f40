// Which authors of the last 30 days caused the most timeline entries?
MATCH (author:User)-[:POSTED]->(post:Post)
WHERE author.state = 'active' AND post.created_at > timestamp() - duration({days: 30}).days * 86400000
WITH author, count(post) AS posts, COUNT { (author)<-[:FOLLOWS]-() } AS followers
RETURN author.username AS username, posts, followers, posts * followers AS timeline_entries
ORDER BY timeline_entries DESC, username
LIMIT 20
