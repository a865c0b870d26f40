// cypher/schema/notification_user.cypher: a user's notifications in order.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX notification_user IF NOT EXISTS
FOR (node:Notification)
ON (node.user_id, node.id)
