// cypher/reports/list_subject.cypher: puts a post or user with open reports into the list.
// The reported subject is locked before its reports are read. Without an open one it is not listed.
// No row is returned if it ended while its lock was awaited.
// $subject:    text, post or user
// $subject_id: integer
// $author_id:  integer, the author of the post, or the user
// returns:     open
// index:       ReportedSubject(subject, subject_id); Report(subject_id, state)
MERGE (reported:ReportedSubject {subject: $subject, subject_id: $subject_id})
ON CREATE SET reported.author_id = $author_id
SET reported.locked = true
REMOVE reported.locked
WITH reported
WHERE reported.author_id IS NOT NULL
CALL () {
  MATCH (report:Report)
  USING INDEX report:Report(subject_id, state)
  WHERE report.subject_id = $subject_id AND report.state = 'open' AND report.subject = $subject
  RETURN count(report) AS open, min(report.id) AS first_id
}
SET reported.report_count = open, reported.first_id = first_id
FOREACH (_ IN CASE WHEN open = 0 THEN [0] ELSE [] END |
  DELETE reported
)
RETURN open
