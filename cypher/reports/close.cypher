// cypher/reports/close.cypher: closes all open reports of a post or user, and creates an audit entry
// if an operator closes them and one was open.
// The reported subject is locked before the reports are read, and ends with them. No row is returned
// if it ended while its lock was awaited: repeat it.
// $subject:    text, post or user
// $subject_id: integer
// $author_id:  integer, the author of the post, or the user
// $report_id:  integer or null, for the audit entry
// $entry_id:   integer, new
// $operator:   text or null, null where the post or user is deleted
// $reason:     text or null
// returns:     closed
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
  SET report.state = 'closed', report.closed_at = timestamp()
  RETURN count(report) AS closed
}
DELETE reported
FOREACH (_ IN CASE WHEN closed > 0 AND $operator IS NOT NULL THEN [0] ELSE [] END |
  CREATE (:AuditEntry {
    id: $entry_id, at: timestamp(), operator: $operator, action: 'close', subject: 'report',
    subject_id: $report_id, reason: $reason
  })
)
RETURN closed
