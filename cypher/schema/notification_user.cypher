// cypher/schema/notification_user.cypher: orders a user's notifications by id.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX notification_user IF NOT EXISTS
FOR (node:Notification)
ON (node.user_id, node.id)
