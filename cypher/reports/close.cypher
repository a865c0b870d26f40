// cypher/reports/close.cypher: closes a report and all open ones of the same subject, and creates
// an audit entry if one was open.
// The reports are locked before their state is read.
// $report_id: integer
// $entry_id:  integer, new
// $operator:  text
// $reason:    text or null
// returns:    closed
// index:      Report(id); Report(subject_id, state)
MATCH (given:Report)
USING INDEX given:Report(id)
WHERE given.id = $report_id
WITH given.subject AS subject, given.subject_id AS subject_id
CALL (subject, subject_id) {
  MATCH (report:Report)
  USING INDEX report:Report(subject_id, state)
  WHERE report.subject_id = subject_id AND report.state = 'open' AND report.subject = subject
  SET report.locked = true
  REMOVE report.locked
  WITH report
  WHERE report.state = 'open'
  SET report.state = 'closed', report.closed_at = timestamp()
  RETURN count(report) AS closed
}
FOREACH (_ IN CASE WHEN closed > 0 THEN [0] ELSE [] END |
  CREATE (:AuditEntry {
    id: $entry_id, at: timestamp(), operator: $operator, action: 'close', subject: 'report',
    subject_id: $report_id, reason: $reason
  })
)
RETURN closed
