// cypher/reports/unsettled.cypher: of the next open reports, by id, the posts and users that are
// deleted, and those that are not in the list, as an older version has created the report.
// looked_at and last_id are of all these reports. No row is returned after the last one.
// $after:  integer, exclusive, the id of a report
// $limit:  integer, 1 to 10000, reports that are looked at
// returns: looked_at, last_id, subjects
// index:   Report(state, id); ReportedSubject(subject, subject_id); Post(id); User(id)
MATCH (report:Report)
USING INDEX report:Report(state, id)
WHERE report.state = 'open' AND report.id > $after
WITH report
ORDER BY report.state, report.id
LIMIT $limit
WITH count(*) AS looked_at, max(report.id) AS last_id, collect(DISTINCT {
    subject: report.subject, subject_id: report.subject_id, author_id: report.author_id
  }) AS subjects
UNWIND subjects AS one
OPTIONAL MATCH (reported:ReportedSubject)
USING INDEX reported:ReportedSubject(subject, subject_id)
WHERE reported.subject = one.subject AND reported.subject_id = one.subject_id
WITH looked_at, last_id, one, reported IS NOT NULL AS is_listed
OPTIONAL MATCH (post:Post)
USING INDEX post:Post(id)
WHERE one.subject = 'post' AND post.id = one.subject_id
WITH looked_at, last_id, one, is_listed, post IS NOT NULL AS is_post
OPTIONAL MATCH (user:User)
USING INDEX user:User(id)
WHERE one.subject = 'user' AND user.id = one.subject_id AND user.state <> 'deleted'
WITH looked_at, last_id, one, is_listed, is_post OR user IS NOT NULL AS exists
RETURN looked_at, last_id, collect(CASE
    WHEN NOT (exists AND is_listed) THEN {about: one, exists: exists}
  END) AS subjects
