// cypher/sessions/end.cypher: ends a session of a user, and deletes its push subscriptions.
// The ended session is stored for a day, so that a repeat succeeds. A subscription that has moved to
// another session meanwhile stays: it is read again when it is locked. The event, which drops the
// session's copies, is null if the session had ended before.
// $session_id: integer
// $user_id:    integer
// $event_id:   integer, new
// $request_id: text or null, of the request that owes the work
// returns:     event
// index:       Session(id); PushSubscription(session_id); Event(id)
MATCH (session:Session)
USING INDEX session:Session(id)
WHERE session.id = $session_id AND session.user_id = $user_id
WITH session, session.expires_at > timestamp() AS ends
SET session.expires_at = CASE WHEN ends THEN timestamp() ELSE session.expires_at END
WITH session, ends
OPTIONAL MATCH (subscription:PushSubscription)
USING INDEX subscription:PushSubscription(session_id)
WHERE subscription.session_id = session.id
SET subscription.locked = true
REMOVE subscription.locked
WITH session, ends,
  collect(CASE WHEN subscription.session_id = session.id THEN subscription END) AS subscriptions
FOREACH (subscription IN subscriptions | DELETE subscription)
FOREACH (_ IN CASE WHEN ends THEN [0] ELSE [] END |
  CREATE (:Event {
    id: $event_id, kind: 'sessions-ended', queue: 'removal', shard: $event_id % 16,
    subject_id: $user_id, author_id: $user_id, cursor: 0, epoch: 0, attempts: 0, tried: false,
    due_at: timestamp(), owed_at: timestamp(), request_id: $request_id
  })
)
WITH session
OPTIONAL MATCH (event:Event)
WHERE event.id = $event_id
RETURN
  event {
    .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
  } AS event
