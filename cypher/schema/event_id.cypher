// cypher/schema/event_id.cypher: one event an id.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT event_id IF NOT EXISTS
FOR (node:Event)
REQUIRE node.id IS UNIQUE
