// cypher/reports/subject_of.cypher: what a report is about.
// $report_id: integer
// returns:    subject, subject_id, author_id
// index:      Report(id)
MATCH (report:Report)
USING INDEX report:Report(id)
WHERE report.id = $report_id
RETURN report.subject AS subject, report.subject_id AS subject_id, report.author_id AS author_id
