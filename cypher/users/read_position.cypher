// cypher/users/read_position.cypher: the newest post id that a user has read in the feed; 0 if none
// was set.
// $user_id: integer
// returns:  position
// index:    User(id)
MATCH (user:User)
WHERE user.id = $user_id
RETURN coalesce(user.read_position, 0) AS position
