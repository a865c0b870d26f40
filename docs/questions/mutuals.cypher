// Which pairs of users follow each other, and since when?
MATCH (one:User)-[there:FOLLOWS]->(other:User)-[back:FOLLOWS]->(one)
WHERE one.id < other.id AND one.state = 'active' AND other.state = 'active'
WITH one, other,
  CASE WHEN there.created_at > back.created_at THEN there.created_at ELSE back.created_at END AS both_ms
RETURN one.username AS one, other.username AS other, datetime({epochMillis: both_ms}) AS since
ORDER BY both_ms DESC
LIMIT 50
