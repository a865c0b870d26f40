// Draw one person, whom they follow, and what those have posted, with the photos.
// :param username => 'ana'
MATCH (me:User {username_ci: toLower($username)})-[follows:FOLLOWS]->(followee:User)
OPTIONAL MATCH (followee)-[posted:POSTED]->(post:Post)-[shows:SHOWS]->(photo:Photo)
RETURN me, follows, followee, posted, post, shows, photo
LIMIT 100
