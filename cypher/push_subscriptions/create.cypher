// cypher/push_subscriptions/create.cypher: stores a push subscription of a session, or finds it.
// An endpoint is stored once. With the same keys it moves to this session; if it was another user's,
// it gets the new id, as it then is a new subscription. With other keys it changes only for its own
// user. The session is locked before anything is read, as its end locks it too: no subscription is
// created after its session has ended. The end is compared with the real time, because timestamp()
// is the time at which this statement began, before it had the lock. Only the newest $most
// subscriptions of the user stay. No row is returned if the session has ended; `subscription` is
// null if the endpoint is another user's.
// $id:              integer, new
// $user_id:         integer
// $session_id:      integer
// $partition:       integer, that of the user
// $endpoint:        text
// $endpoint_sha256: text, hex
// $p256dh:          text, base64url
// $auth:            text, base64url
// $expires_at:      integer, Unix milliseconds, or null
// $most:            integer, subscriptions of one user
// returns:          subscription, created
// index:            Session(id); User(id); PushSubscription(endpoint_sha256); PushSubscription(user_id, id)
// sorts:            the user's subscriptions, at most $most and one
MATCH (session:Session)
USING INDEX session:Session(id)
WHERE session.id = $session_id AND session.user_id = $user_id
SET session.locked = true
REMOVE session.locked
WITH session
MATCH (user:User)
WHERE user.id = $user_id
WITH session, user
WHERE session.expires_at > datetime.realtime().epochMillis
  AND coalesce(session.epoch, 0) = coalesce(user.session_epoch, 0)
OPTIONAL MATCH (existing:PushSubscription)
USING INDEX existing:PushSubscription(endpoint_sha256)
WHERE existing.endpoint_sha256 = $endpoint_sha256
SET existing.locked = true
REMOVE existing.locked
WITH CASE WHEN existing.endpoint_sha256 = $endpoint_sha256 THEN existing END AS existing
WITH existing,
  existing.user_id = $user_id AS is_own,
  existing.p256dh = $p256dh AND existing.auth = $auth AS has_same_keys
FOREACH (_ IN CASE WHEN existing IS NULL THEN [0] ELSE [] END |
  CREATE (:PushSubscription {
    id: $id, user_id: $user_id, partition: $partition, session_id: $session_id,
    endpoint: $endpoint, endpoint_sha256: $endpoint_sha256, p256dh: $p256dh, auth: $auth,
    expires_at: $expires_at, created_at: timestamp()
  })
)
FOREACH (_ IN CASE WHEN NOT is_own AND has_same_keys THEN [0] ELSE [] END |
  SET existing.id = $id, existing.user_id = $user_id, existing.partition = $partition,
    existing.created_at = timestamp()
)
FOREACH (_ IN CASE WHEN is_own OR has_same_keys THEN [0] ELSE [] END |
  SET existing.session_id = $session_id, existing.p256dh = $p256dh, existing.auth = $auth,
    existing.expires_at = $expires_at
)
WITH coalesce(is_own OR has_same_keys, true) AS is_allowed
OPTIONAL MATCH (stored:PushSubscription)
USING INDEX stored:PushSubscription(endpoint_sha256)
WHERE is_allowed AND stored.endpoint_sha256 = $endpoint_sha256
OPTIONAL MATCH (own:PushSubscription)
USING INDEX own:PushSubscription(user_id, id)
WHERE own.user_id = $user_id AND own.id IS NOT NULL AND own.endpoint IS NOT NULL
WITH stored, own
ORDER BY own = stored DESC, own.id DESC
WITH stored, collect(own) AS newest_first
FOREACH (oldest IN newest_first[$most..] | DELETE oldest)
RETURN stored {.id, .user_id, .session_id, .endpoint, .p256dh, .auth, .created_at} AS subscription,
  stored.id = $id AS created
