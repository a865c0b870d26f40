// cypher/reports/closed_page.cypher: a page of closed reports by id, those of one subject together.
// $after:  integer, exclusive, the id of a report
// $limit:  integer, 1 to 1000, reports
// returns: id, subject, subject_id, author_id, reporter_ids, reasons, texts, last_id
// index:   Report(state, id)
// sorts:   the page by the first report of each subject
MATCH (report:Report)
USING INDEX report:Report(state, id)
WHERE report.state = 'closed' AND report.id > $after
WITH report
ORDER BY report.state, report.id
LIMIT $limit
RETURN min(report.id) AS id, report.subject AS subject, report.subject_id AS subject_id,
  report.author_id AS author_id, collect(report.reporter_id) AS reporter_ids,
  collect(DISTINCT report.reason) AS reasons, collect(report.text)[..3] AS texts,
  max(report.id) AS last_id
ORDER BY id
