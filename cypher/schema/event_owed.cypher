// cypher/schema/event_owed.cypher: orders the events of a shard by the time at which they were first
// due.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX event_owed IF NOT EXISTS
FOR (node:Event)
ON (node.shard, node.owed_at)
