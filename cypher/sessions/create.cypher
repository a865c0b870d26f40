// cypher/sessions/create.cypher: creates a session of an active user, and ends the oldest of those
// beyond the most that a user may have.
// The network of the sign-in is the newest of those that the user is known from.
// The user is locked before anything is read, so that a concurrent password change ends this sign-in
// too. At most $most_ended sessions are ended, and their push subscriptions deleted. The event, which
// drops their copies, is null if none is ended.
// $session_id:    integer, new
// $user_id:       integer
// $secret_sha256: text, hex
// $expires_at:    integer, Unix milliseconds, at which it ends unless it is used
// $ends_at:       integer, Unix milliseconds, at which it ends at the latest, or null
// $network:       text, of the sign-in, or null
// $user_agent:    text or null
// $most_networks: integer, networks that are kept with the user
// $password_hash: text, the hash that the sign-in was checked with, or null
// $most:          integer, sessions of one user
// $most_ended:    integer
// $event_id:      integer, new
// $request_id:    text or null, of the request that owes the work
// returns:        session, ended_ids, event
// index:          User(id); Session(user_id, created_at); PushSubscription(session_id); Event(id)
MATCH (user:User)
WHERE user.id = $user_id
SET user.locked = true
REMOVE user.locked
WITH user
WHERE user.state = 'active' AND coalesce($password_hash, user.password_hash) = user.password_hash
CREATE (session:Session {
  id: $session_id, user_id: $user_id, secret_sha256: $secret_sha256, epoch: user.session_epoch,
  created_at: timestamp(), last_used_at: timestamp(), expires_at: $expires_at, ends_at: $ends_at,
  network: $network, user_agent: $user_agent
})
WITH user, session, coalesce(user.known_networks, []) AS networks
FOREACH (_ IN CASE WHEN $network IS NULL OR networks[-1] = $network THEN [] ELSE [0] END |
  SET user.known_networks =
    ([one IN networks WHERE one <> $network] + $network)[-$most_networks..]
)
WITH session, coalesce(user.session_epoch, 0) AS epoch
CALL (session, epoch) {
  MATCH (older:Session)
  USING INDEX older:Session(user_id, created_at)
  WHERE older.user_id = $user_id
    AND older.created_at IS NOT NULL
    AND older.expires_at > timestamp()
    AND coalesce(older.epoch, 0) = epoch
    AND older <> session
  WITH older
  ORDER BY older.user_id DESC, older.created_at DESC
  SKIP $most - 1
  LIMIT $most_ended
  RETURN collect(older) AS beyond
}
FOREACH (one IN beyond | SET one.expires_at = timestamp())
WITH session, [one IN beyond | one.id] AS ended_ids
CALL (ended_ids) {
  UNWIND ended_ids AS ended_id
  MATCH (subscription:PushSubscription)
  USING INDEX subscription:PushSubscription(session_id)
  WHERE subscription.session_id = ended_id
  SET subscription.locked = true
  REMOVE subscription.locked
  WITH subscription, ended_id
  WHERE subscription.session_id = ended_id
  DELETE subscription
}
FOREACH (_ IN CASE WHEN ended_ids = [] THEN [] ELSE [0] END |
  CREATE (:Event {
    id: $event_id, kind: 'sessions-ended', queue: 'removal', shard: $event_id % 16,
    subject_id: $user_id, author_id: $user_id, cursor: 0, epoch: 0, attempts: 0, tried: false,
    due_at: timestamp(), owed_at: timestamp(), request_id: $request_id
  })
)
WITH session, ended_ids
OPTIONAL MATCH (event:Event)
WHERE event.id = $event_id
RETURN
  session {
    .id, .user_id, .secret_sha256, .created_at, .expires_at, .ends_at, .last_used_at, .network,
    .user_agent
  } AS session,
  ended_ids,
  event {
    .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
  } AS event
