// cypher/accounts/clear_reports.cypher: deletes the reports by a user who is being deleted.
// The reported subjects are locked, in the order of the index, and counted anew; one without an open
// report ends.
// $user_id: integer
// $limit:   integer
// returns:  cleared
// index:    Report(reporter_id, subject, subject_id); ReportedSubject(subject, subject_id);
//           Report(subject_id, state)
MATCH (report:Report)
USING INDEX report:Report(reporter_id, subject, subject_id)
WHERE report.reporter_id = $user_id
  AND report.subject IS NOT NULL
  AND report.subject_id IS NOT NULL
WITH report
LIMIT $limit
OPTIONAL MATCH (reported:ReportedSubject)
USING INDEX reported:ReportedSubject(subject, subject_id)
WHERE reported.subject = report.subject AND reported.subject_id = report.subject_id
SET reported.locked = true
REMOVE reported.locked
WITH report, reported
DELETE report
WITH reported, count(*) AS deleted
CALL (reported) {
  MATCH (other:Report)
  USING INDEX other:Report(subject_id, state)
  WHERE other.subject_id = reported.subject_id AND other.state = 'open'
    AND other.subject = reported.subject
  RETURN count(other) AS open, min(other.id) AS first_id
}
SET reported.report_count = open, reported.first_id = first_id
FOREACH (_ IN CASE WHEN open = 0 THEN [0] ELSE [] END |
  DELETE reported
)
RETURN sum(deleted) AS cleared
