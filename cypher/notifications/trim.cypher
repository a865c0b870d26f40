// cypher/notifications/trim.cypher: deletes a user's notifications below the $most newest.
// $user_id: integer
// $most:    integer, 1 to 1000
// $limit:   integer
// returns:  deleted
// index:    Notification(user_id, id)
MATCH (notification:Notification)
USING INDEX notification:Notification(user_id, id)
WHERE notification.user_id = $user_id AND notification.id > 0
WITH notification
ORDER BY notification.user_id DESC, notification.id DESC
SKIP $most
LIMIT $limit
DELETE notification
RETURN count(*) AS deleted
