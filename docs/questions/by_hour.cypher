// How many posts are created in each hour of the day (UTC)?
MATCH (author:User)-[:POSTED]->(post:Post)
WHERE author.state = 'active'
WITH datetime({epochMillis: post.created_at}).hour AS hour, count(post) AS posts
RETURN hour, posts
ORDER BY hour
