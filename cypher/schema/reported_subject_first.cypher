// cypher/schema/reported_subject_first.cypher: orders reported posts and users by the id of their
// oldest open report.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX reported_subject_first IF NOT EXISTS
FOR (node:ReportedSubject)
ON (node.first_id)
