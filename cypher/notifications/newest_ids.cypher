// cypher/notifications/newest_ids.cypher: the id of the newest notification of each of these users;
// 0 if there is none. It counts every notification, also those that are not shown.
// $user_ids: list of integers, up to 1000
// returns:   user_id, newest_id
// index:     Notification(user_id, id)
UNWIND $user_ids AS user_id
CALL (user_id) {
  OPTIONAL MATCH (notification:Notification)
  USING INDEX notification:Notification(user_id, id)
  WHERE notification.user_id = user_id AND notification.id > 0
  WITH notification
  ORDER BY notification.user_id DESC, notification.id DESC
  LIMIT 1
  RETURN coalesce(notification.id, 0) AS newest_id
}
RETURN user_id, newest_id
