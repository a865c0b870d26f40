// cypher/sessions/ended_page.cypher: a page of the ids of a user's ended sessions, descending.
// They are those that ended since a time, and all of an older epoch than the user's. Ended sessions
// are stored for a day.
// $user_id:     integer
// $ended_since: integer, Unix milliseconds
// $before:      integer, a session id, exclusive
// $limit:       integer, 1 to 10000
// returns:      session_ids
// index:        User(id); Session(user_id, id)
MATCH (user:User)
WHERE user.id = $user_id
WITH coalesce(user.session_epoch, 0) AS epoch
MATCH (session:Session)
USING INDEX session:Session(user_id, id)
WHERE session.user_id = $user_id
  AND session.id < $before
  AND (
    $ended_since <= session.expires_at <= timestamp()
    OR coalesce(session.epoch, 0) < epoch
  )
WITH session
ORDER BY session.user_id DESC, session.id DESC
LIMIT $limit
RETURN collect(session.id) AS session_ids
