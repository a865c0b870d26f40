// cypher/reports/create.cypher: creates a report, unless its subject has $most open ones.
// The reported subject is locked before its open reports are counted, so their number is exact. No
// row is returned if it ended while its lock was awaited: repeat it. A second report of the subject
// by the reporter violates a constraint.
// $report_id:   integer, new
// $reporter_id: integer
// $subject:     text, post or user
// $subject_id:  integer
// $author_id:   integer, the author of the post, or the user
// $reason:      text
// $text:        text or null
// $most:        integer
// returns:      created
// index:        ReportedSubject(subject, subject_id); Report(subject_id, state)
MERGE (reported:ReportedSubject {subject: $subject, subject_id: $subject_id})
ON CREATE SET reported.author_id = $author_id
SET reported.locked = true
REMOVE reported.locked
WITH reported
WHERE reported.author_id IS NOT NULL
CALL () {
  MATCH (other:Report)
  USING INDEX other:Report(subject_id, state)
  WHERE other.subject_id = $subject_id AND other.state = 'open' AND other.subject = $subject
  RETURN count(other) AS open, coalesce(min(other.id), $report_id) AS first_id
}
WITH reported, open, first_id, open < $most AS is_new
SET reported.report_count = CASE WHEN is_new THEN open + 1 ELSE open END,
  reported.first_id =
    CASE WHEN is_new AND $report_id < first_id THEN $report_id ELSE first_id END
FOREACH (_ IN CASE WHEN is_new THEN [0] ELSE [] END |
  CREATE (:Report {
    id: $report_id, reporter_id: $reporter_id, subject: $subject, subject_id: $subject_id,
    author_id: $author_id, reason: $reason, text: $text, state: 'open', created_at: timestamp()
  })
)
RETURN is_new AS created
