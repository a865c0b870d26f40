// cypher/reports/most_reported.cypher: the posts and users with the most open reports; of two with
// as many, the one that was reported later comes first.
// The lists are empty if the reports are closed during this read.
// $limit:  integer, 1 to 1001
// returns: id, subject, subject_id, author_id, reporter_ids, reasons, texts
// index:   ReportedSubject(report_count, first_id); Report(subject_id, state)
// sorts:   the reports of a subject, and the page
MATCH (reported:ReportedSubject)
USING INDEX reported:ReportedSubject(report_count, first_id)
WHERE reported.report_count > 0 AND reported.first_id IS NOT NULL
WITH reported
ORDER BY reported.report_count DESC, reported.first_id DESC
LIMIT $limit
CALL (reported) {
  MATCH (report:Report)
  USING INDEX report:Report(subject_id, state)
  WHERE report.subject_id = reported.subject_id AND report.state = 'open'
    AND report.subject = reported.subject
  WITH report
  ORDER BY report.id
  RETURN collect(report.reporter_id) AS reporter_ids, collect(DISTINCT report.reason) AS reasons,
    collect(report.text)[..3] AS texts
}
RETURN reported.first_id AS id, reported.subject AS subject, reported.subject_id AS subject_id,
  reported.author_id AS author_id, reporter_ids, reasons, texts
ORDER BY reported.report_count DESC, id DESC
