// cypher/users/set_read_position.cypher: raises a user's read position; a lower one changes
// nothing.
// The user is locked first, because concurrent calls would otherwise compare with the same old
// position.
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
