// cypher/reports/by_reporter.cypher: the id of a user's report of a subject.
// $reporter_id: integer
// $subject:     text, post or user
// $subject_id:  integer
// returns:      report_id
// index:        Report(reporter_id, subject, subject_id)
MATCH (report:Report)
USING INDEX report:Report(reporter_id, subject, subject_id)
WHERE report.reporter_id = $reporter_id
  AND report.subject = $subject
  AND report.subject_id = $subject_id
RETURN report.id AS report_id
