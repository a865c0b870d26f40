// cypher/reports/create.cypher: creates a report, unless its subject has $most open ones.
// A second one of the subject by the reporter violates a constraint.
// $report_id:   integer, new
// $reporter_id: integer
// $subject:     text, post or user
// $subject_id:  integer
// $author_id:   integer, the author of the post, or the user
// $reason:      text
// $text:        text or null
// $most:        integer
// returns:      created
// index:        Report(subject_id, state)
CALL () {
  MATCH (other:Report)
  USING INDEX other:Report(subject_id, state)
  WHERE other.subject_id = $subject_id AND other.state = 'open' AND other.subject = $subject
  WITH other
  LIMIT $most
  RETURN count(other) AS open
}
WITH open
WHERE open < $most
CREATE (:Report {
  id: $report_id, reporter_id: $reporter_id, subject: $subject, subject_id: $subject_id,
  author_id: $author_id, reason: $reason, text: $text, state: 'open', created_at: timestamp()
})
RETURN true AS created
