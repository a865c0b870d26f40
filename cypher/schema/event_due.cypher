// cypher/schema/event_due.cypher: a shard's events in the order in which they are due.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX event_due IF NOT EXISTS
FOR (node:Event)
ON (node.shard, node.due_at)
