// cypher/schema/reported_subject_count.cypher: orders reported posts and users by the number of
// their open reports.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX reported_subject_count IF NOT EXISTS
FOR (node:ReportedSubject)
ON (node.report_count, node.first_id)
