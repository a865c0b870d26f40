// cypher/notifications/set_position.cypher: raises a user's position in the notifications; a lower
// one changes nothing.
// The user is locked first, because concurrent calls would otherwise compare with the same old
// position.
// $user_id:         integer
// $notification_id: integer
// returns:          position
// index:            User(id)
MATCH (user:User)
WHERE user.id = $user_id AND user.state = 'active'
SET user.locked = true
REMOVE user.locked
WITH user
SET user.notification_position = CASE
  WHEN coalesce(user.notification_position, 0) < $notification_id THEN $notification_id
  ELSE user.notification_position
END
RETURN user.notification_position AS position
