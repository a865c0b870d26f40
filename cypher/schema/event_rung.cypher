// cypher/schema/event_rung.cypher: finds the events of the version before, which alone have rung_at.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX event_rung IF NOT EXISTS
FOR (node:Event)
ON (node.rung_at)
