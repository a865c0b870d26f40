// cypher/moderation/suspend.cypher: suspends an account: hides the user, ends all sessions, and
// creates the audit entry and the event that hides the posts.
// An account that is about to be deleted stays so, and cannot be restored meanwhile. The user is
// locked before the state is read. No row is returned if the account is suspended already, or is
// being deleted.
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
WHERE user.state IN ['active', 'leaving'] AND user.suspended_at IS NULL
SET user.suspended_at = timestamp(),
  user.session_epoch = coalesce(user.session_epoch, 0) + 1,
  user.state = CASE WHEN user.state = 'active' THEN 'suspended' ELSE user.state END
CREATE (:AuditEntry {
  id: $entry_id, at: timestamp(), operator: $operator, action: 'suspend', subject: 'user',
  subject_id: $user_id, reason: $reason
})
CREATE (event:Event {
  id: $event_id, kind: 'account-suspended', queue: 'removal', shard: $event_id % 16,
  subject_id: $user_id, author_id: $user_id, cursor: 0, epoch: 0, attempts: 0, tried: false,
  due_at: timestamp(), owed_at: timestamp(), request_id: $request_id
})
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event
