// cypher/schema/report_closed.cypher: orders closed reports by the time at which they were closed.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX report_closed IF NOT EXISTS
FOR (node:Report)
ON (node.closed_at)
