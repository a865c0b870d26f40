// cypher/schema/notification_id.cypher: at most one notification for an id; orders notifications by
// id.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT notification_id IF NOT EXISTS
FOR (node:Notification)
REQUIRE node.id IS UNIQUE
