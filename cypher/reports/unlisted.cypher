// cypher/reports/unlisted.cypher: of the next open reports, by id, the posts and users that are not
// in the list: an older version has created the report.
// looked_at and last_id are of all these reports. No row is returned after the last one.
// $after:  integer, exclusive, the id of a report
// $limit:  integer, 1 to 10000, reports that are looked at
// returns: looked_at, last_id, subjects
// index:   Report(state, id); ReportedSubject(subject, subject_id)
MATCH (report:Report)
USING INDEX report:Report(state, id)
WHERE report.state = 'open' AND report.id > $after
WITH report
ORDER BY report.state, report.id
LIMIT $limit
OPTIONAL MATCH (reported:ReportedSubject)
USING INDEX reported:ReportedSubject(subject, subject_id)
WHERE reported.subject = report.subject AND reported.subject_id = report.subject_id
WITH count(*) AS looked_at, max(report.id) AS last_id, collect(DISTINCT CASE
    WHEN reported IS NULL THEN [report.subject, report.subject_id, report.author_id]
  END) AS subjects
WHERE looked_at > 0
RETURN looked_at, last_id, subjects
