// cypher/accounts/clear_notifications.cypher: deletes notifications of a user that is being deleted.
// $user_id: integer
// $limit:   integer
// returns:  cleared
// index:    Notification(user_id, id)
MATCH (notification:Notification)
USING INDEX notification:Notification(user_id, id)
WHERE notification.user_id = $user_id AND notification.id IS NOT NULL
WITH notification
LIMIT $limit
DELETE notification
RETURN count(*) AS cleared
