// cypher/reports/open_page.cypher: a page of the posts and users with open reports, by the oldest of
// these. The lists are empty if the reports are closed during this read.
// $after:  integer, exclusive, the id of an oldest report
// $limit:  integer, 1 to 1001
// returns: id, subject, subject_id, author_id, reporter_ids, reasons, texts
// index:   ReportedSubject(first_id); Report(subject_id, state)
// sorts:   the reports of a subject, and the page
MATCH (reported:ReportedSubject)
USING INDEX reported:ReportedSubject(first_id)
WHERE reported.first_id > $after
WITH reported
ORDER BY reported.first_id
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
ORDER BY id
