// At which hour of the day (UTC) is posted how much?
MATCH (post:Post)
WITH datetime({epochMillis: post.created_at}).hour AS hour, count(post) AS posts
RETURN hour, posts
ORDER BY hour
