// cypher/users/set_read_position.cypher: raises how far a user has read their feed; a lower one changes
// nothing. The lock comes first, or two at once could both compare with what stood before.
// $user_id: integer
// $post_id: integer
// returns:  position
// index:    User(id)
MATCH (user:User)
WHERE user.id = $user_id AND user.state = 'active'
SET user.locked = true
REMOVE user.locked
WITH user
SET user.read_position = CASE
  WHEN coalesce(user.read_position, 0) < $post_id THEN $post_id
  ELSE user.read_position
END
RETURN user.read_position AS position
