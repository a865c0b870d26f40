// cypher/schema/event_queue.cypher: orders the events of a shard of a queue by the time at which
// they are due, those never tried apart from those tried before.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX event_queue IF NOT EXISTS
FOR (node:Event)
ON (node.queue, node.shard, node.tried, node.due_at)
