// cypher/reports/page.cypher: the reported posts and users, by their oldest report of a state.
// The $most oldest reports of the state are read. The status is that of the subject: shown, hidden
// or deleted of a post, the state of a user. A user who is suspended while the account is about to
// be deleted is suspended.
// $state:  text, open or closed
// $most:   integer, 1 to 10000
// $limit:  integer, 1 to 1001
// returns: id, subject, subject_id, author_id, status, created_at, reporter_ids, reasons, texts
// index:   Report(state, id); Post(id); User(id)
// sorts:   the reported subjects
MATCH (report:Report)
USING INDEX report:Report(state, id)
WHERE report.state = $state AND report.id > 0
WITH report
ORDER BY report.state, report.id
LIMIT $most
WITH report.subject AS subject, report.subject_id AS subject_id, report.author_id AS author_id,
  min(report.id) AS id, min(report.created_at) AS created_at,
  collect(report.reporter_id) AS reporter_ids, collect(DISTINCT report.reason) AS reasons,
  collect(report.text)[..3] AS texts
ORDER BY id
LIMIT $limit
OPTIONAL MATCH (post:Post)
USING INDEX post:Post(id)
WHERE subject = 'post' AND post.id = subject_id
OPTIONAL MATCH (user:User)
USING INDEX user:User(id)
WHERE subject = 'user' AND user.id = subject_id
RETURN id, subject, subject_id, author_id,
  CASE
    WHEN post.hidden_at IS NOT NULL THEN 'hidden'
    WHEN post IS NOT NULL THEN 'shown'
    WHEN user.suspended_at IS NOT NULL THEN 'suspended'
    ELSE coalesce(user.state, 'deleted')
  END AS status,
  created_at, reporter_ids, reasons, texts
ORDER BY id
