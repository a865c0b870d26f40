// cypher/schema/event_due.cypher: orders the events of a shard by the time at which they are due, for
// processes of the version before.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX event_due IF NOT EXISTS
FOR (node:Event)
ON (node.shard, node.due_at)
