// cypher/notifications/crowded.cypher: those of these users who have more than $most notifications.
// $user_ids: list of integers, up to 1000
// $most:     integer
// returns:   user_id
// index:     Notification(user_id, id)
UNWIND $user_ids AS user_id
CALL (user_id) {
  MATCH (notification:Notification)
  USING INDEX notification:Notification(user_id, id)
  WHERE notification.user_id = user_id AND notification.id > 0
  WITH notification
  LIMIT $most + 1
  RETURN count(notification) AS stored
}
WITH user_id, stored
WHERE stored > $most
RETURN user_id
