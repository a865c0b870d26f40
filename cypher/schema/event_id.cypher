// cypher/schema/event_id.cypher: at most one event for an id.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT event_id IF NOT EXISTS
FOR (node:Event)
REQUIRE node.id IS UNIQUE
