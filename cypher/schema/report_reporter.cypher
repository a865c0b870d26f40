// cypher/schema/report_reporter.cypher: at most one report of a subject by a user.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT report_reporter IF NOT EXISTS
FOR (node:Report)
REQUIRE (node.reporter_id, node.subject, node.subject_id) IS UNIQUE
