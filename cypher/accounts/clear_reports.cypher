// cypher/accounts/clear_reports.cypher: deletes the reports by a user who is being deleted.
// $user_id: integer
// $limit:   integer
// returns:  cleared
// index:    Report(reporter_id, subject, subject_id)
MATCH (report:Report)
USING INDEX report:Report(reporter_id, subject, subject_id)
WHERE report.reporter_id = $user_id
  AND report.subject IS NOT NULL
  AND report.subject_id IS NOT NULL
WITH report
LIMIT $limit
DELETE report
RETURN count(*) AS cleared
