// Which users does one user follow, and what have they posted? Returns nodes for a drawing.
// :param username => 'ana'
MATCH (me:User {username_ci: toLower($username)})-[follows:FOLLOWS]->(followee:User)
WHERE followee.state = 'active'
OPTIONAL MATCH (followee)-[posted:POSTED]->(post:Post)-[shows:SHOWS]->(photo:Photo)
RETURN me, follows, followee, posted, post, shows, photo
LIMIT 100
