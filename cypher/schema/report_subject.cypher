// cypher/schema/report_subject.cypher: finds the open reports of a post or user.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX report_subject IF NOT EXISTS
FOR (node:Report)
ON (node.subject_id, node.state)
