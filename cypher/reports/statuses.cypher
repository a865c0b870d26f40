// cypher/reports/statuses.cypher: what posts and users with these ids are: shown, hidden or deleted
// of a post; of a user the state, or suspended. A user who is suspended while the account is about to
// be deleted is suspended.
// $subject_ids: list of integers, up to 1001
// returns:      subject_id, post_status, user_status
// index:        Post(id); User(id)
UNWIND $subject_ids AS subject_id
OPTIONAL MATCH (post:Post)
USING INDEX post:Post(id)
WHERE post.id = subject_id
WITH subject_id,
  CASE
    WHEN post IS NULL THEN 'deleted'
    WHEN post.hidden_at IS NULL THEN 'shown'
    ELSE 'hidden'
  END AS post_status
OPTIONAL MATCH (user:User)
USING INDEX user:User(id)
WHERE user.id = subject_id
RETURN subject_id, post_status,
  CASE
    WHEN user.suspended_at IS NOT NULL THEN 'suspended'
    ELSE coalesce(user.state, 'deleted')
  END AS user_status
