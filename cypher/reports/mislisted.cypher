// cypher/reports/mislisted.cypher: of the next posts and users of the list, by the oldest report that
// it names, those of which the list is wrong: a process of an older version, which does not know it,
// has closed or deleted reports.
// looked_at and last_id are of all these posts and users.
// $after:  integer, exclusive, the id of a report
// $limit:  integer, 1 to 1000, posts and users that are looked at
// returns: looked_at, last_id, subjects
// index:   ReportedSubject(first_id); Report(subject_id, state)
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
  RETURN count(report) AS open, coalesce(min(report.id), 0) AS first_id
}
RETURN count(*) AS looked_at, max(reported.first_id) AS last_id, collect(CASE
    WHEN open <> reported.report_count OR first_id <> reported.first_id
    THEN reported {.subject, .subject_id, .author_id}
  END) AS subjects
