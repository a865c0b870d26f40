// cypher/users/read_position.cypher: how far a user has read their feed; 0 before they ever said so.
// $user_id: integer
// returns:  position
// index:    User(id)
MATCH (user:User)
WHERE user.id = $user_id
RETURN coalesce(user.read_position, 0) AS position
