// cypher/users/set_password.cypher: changes a password, ends all other sessions of the user, and
// deletes their push subscriptions.
// The user is locked before the password is read, so that a request that checked an older password
// changes nothing. The new hash is accepted as the current one, so that a repeat after a lost
// answer succeeds. Ended sessions are stored for a day, and a repeat returns them again. Only the
// newest $most are ended one by one. If there are more, the user's epoch rises, which ends all others
// at once. The event drops the copies of all, and deletes those of the older epoch; it is null if
// nothing is ended.
// $user_id:         integer
// $checked_hash:    text, argon2id, the hash that the request was checked with
// $password_hash:   text, argon2id
// $keep_session_id: integer, the session of the request, which must not have ended
// $most:            integer, sessions that are ended one by one
// $event_id:        integer, new
// $request_id:      text or null, of the request that owes the work
// returns:          session_ids, has_more, event
// index:            User(id); Session(id); Session(user_id, created_at);
//                   PushSubscription(session_id); Event(id)
MATCH (user:User)
WHERE user.id = $user_id AND user.state = 'active'
SET user.locked = true
REMOVE user.locked
WITH user
WHERE user.password_hash IN [$checked_hash, $password_hash]
MATCH (own:Session)
USING INDEX own:Session(id)
WHERE own.id = $keep_session_id
  AND own.user_id = $user_id
  AND own.expires_at > timestamp()
  AND coalesce(own.epoch, 0) = coalesce(user.session_epoch, 0)
SET user.password_hash = $password_hash
WITH user, own
CALL () {
  MATCH (session:Session)
  USING INDEX session:Session(user_id, created_at)
  WHERE session.user_id = $user_id
    AND session.created_at IS NOT NULL
    AND session.id <> $keep_session_id
  WITH session
  ORDER BY session.user_id DESC, session.created_at DESC
  LIMIT $most + 1
  RETURN collect(session) AS newest
}
WITH user, own, newest, size(newest) > $most AS has_more,
  any(session IN newest WHERE session.expires_at > timestamp()) AS ends
FOREACH (session IN newest |
  SET session.expires_at = CASE
    WHEN session.expires_at > timestamp() THEN timestamp()
    ELSE session.expires_at
  END
)
FOREACH (_ IN CASE WHEN has_more THEN [0] ELSE [] END |
  SET user.session_epoch = coalesce(user.session_epoch, 0) + 1
  SET own.epoch = user.session_epoch
)
FOREACH (_ IN CASE WHEN ends OR has_more THEN [0] ELSE [] END |
  CREATE (:Event {
    id: $event_id, kind: 'sessions-ended', queue: 'removal', shard: $event_id % 16,
    subject_id: $user_id, author_id: $user_id, cursor: 0, epoch: 0, attempts: 0, tried: false,
    due_at: timestamp(), owed_at: timestamp(), request_id: $request_id
  })
)
WITH [session IN newest | session.id] AS session_ids, has_more
CALL (session_ids) {
  UNWIND session_ids AS session_id
  MATCH (subscription:PushSubscription)
  USING INDEX subscription:PushSubscription(session_id)
  WHERE subscription.session_id = session_id
  SET subscription.locked = true
  REMOVE subscription.locked
  WITH subscription, session_id
  WHERE subscription.session_id = session_id
  DELETE subscription
}
WITH session_ids, has_more
OPTIONAL MATCH (event:Event)
WHERE event.id = $event_id
RETURN session_ids, has_more,
  event {
    .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
  } AS event
