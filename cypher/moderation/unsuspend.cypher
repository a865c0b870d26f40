// cypher/moderation/unsuspend.cypher: ends a suspension, and creates the audit entry and the event
// that discards the tombstones of the user's posts.
// The user is locked before the state is read. No row is returned if the account is not suspended,
// or is being deleted.
// $user_id:    integer
// $entry_id:   integer, new
// $operator:   text
// $reason:     text or null
// $event_id:   integer, new
// $request_id: text or null, of the request that owes the work
// returns:     event
// index:       User(id)
MATCH (user:User)
WHERE user.id = $user_id
SET user.locked = true
REMOVE user.locked
WITH user
WHERE user.state IN ['suspended', 'leaving'] AND user.suspended_at IS NOT NULL
SET user.state = CASE WHEN user.state = 'suspended' THEN 'active' ELSE user.state END
REMOVE user.suspended_at
CREATE (:AuditEntry {
  id: $entry_id, at: timestamp(), operator: $operator, action: 'unsuspend', subject: 'user',
  subject_id: $user_id, reason: $reason
})
CREATE (event:Event {
  id: $event_id, kind: 'profile-changed', queue: 'removal', shard: $event_id % 16,
  subject_id: $user_id, author_id: $user_id, cursor: 0, epoch: 0, attempts: 0, tried: false,
  due_at: timestamp(), owed_at: timestamp(), request_id: $request_id
})
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event
