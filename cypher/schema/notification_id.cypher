// cypher/schema/notification_id.cypher: one notification an id.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT notification_id IF NOT EXISTS
FOR (node:Notification)
REQUIRE node.id IS UNIQUE
