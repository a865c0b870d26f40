// cypher/accounts/restore.cypher: ends the deletion of an account before its time, and creates the
// event that discards the tombstones of the user's posts.
// The event of the deletion stays: it finds another state and does nothing. No row is returned if
// the deletion has begun, if the user has another password, or if the account is suspended.
// $user_id:      integer
// $checked_hash: text, argon2id, the hash that the request was checked with
// $event_id:     integer, new
// $request_id:   text or null, of the request that owes the work
// returns:       event
// index:         User(id)
MATCH (user:User)
WHERE user.id = $user_id
SET user.locked = true
REMOVE user.locked
WITH user
WHERE user.password_hash = $checked_hash AND user.state = 'leaving'
  AND user.suspended_at IS NULL
SET user.state = 'active'
REMOVE user.leaves_at, user.leaving_event_id
CREATE (event:Event {
  id: $event_id, kind: 'profile-changed', queue: 'removal', shard: $event_id % 16,
  subject_id: $user_id, author_id: $user_id, cursor: 0, epoch: 0, attempts: 0, tried: false,
  due_at: timestamp(), owed_at: timestamp(), request_id: $request_id
})
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event
