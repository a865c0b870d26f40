// cypher/notifications/delete_old.cypher: deletes notifications below an id, which has a time.
// $before: integer, exclusive
// $limit:  integer
// returns: deleted
// index:   Notification(id)
MATCH (notification:Notification)
WHERE notification.id < $before
WITH notification
LIMIT $limit
DELETE notification
RETURN count(*) AS deleted
