// cypher/schema/notification_day.cypher: at most one notification for a user, actor, kind, subject
// and UTC day.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT notification_day IF NOT EXISTS
FOR (node:Notification)
REQUIRE (node.user_id, node.actor_id, node.kind, node.subject_id, node.day) IS UNIQUE
