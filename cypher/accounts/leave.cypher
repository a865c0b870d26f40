// cypher/accounts/leave.cypher: begins the deletion of an account: hides the user, ends all sessions,
// and creates the event that hides the posts at once and deletes the account later.
// The user is locked before the password is read. A repeat changes nothing: its event is null, the
// time is that of the first. The newest $most sessions are returned, ended or not; the event has all.
// $user_id:      integer
// $checked_hash: text, argon2id, the hash that the request was checked with
// $undo_ms:      integer, milliseconds for which the account can be restored
// $most:         integer, sessions
// $event_id:     integer, new
// $request_id:   text or null, of the request that owes the work
// returns:       leaves_at, session_ids, event
// index:         User(id); Session(user_id, id); Event(id)
MATCH (user:User)
WHERE user.id = $user_id
SET user.locked = true
REMOVE user.locked
WITH user
WHERE user.password_hash = $checked_hash AND user.state IN ['active', 'leaving']
FOREACH (_ IN CASE WHEN user.state = 'active' THEN [0] ELSE [] END |
  SET user.state = 'leaving', user.leaves_at = timestamp() + $undo_ms,
    user.leaving_event_id = $event_id, user.session_epoch = coalesce(user.session_epoch, 0) + 1
  CREATE (:Event {
    id: $event_id, kind: 'account-left', queue: 'removal', shard: $event_id % 16,
    subject_id: $user_id, author_id: $user_id, cursor: 0, epoch: 0, attempts: 0, tried: false,
    due_at: timestamp(), owed_at: timestamp(), request_id: $request_id
  })
)
WITH user.leaves_at AS leaves_at
CALL () {
  MATCH (session:Session)
  USING INDEX session:Session(user_id, id)
  WHERE session.user_id = $user_id AND session.id IS NOT NULL
  WITH session
  ORDER BY session.user_id DESC, session.id DESC
  LIMIT $most
  RETURN collect(session.id) AS session_ids
}
OPTIONAL MATCH (event:Event)
WHERE event.id = $event_id
RETURN leaves_at, session_ids, event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event
