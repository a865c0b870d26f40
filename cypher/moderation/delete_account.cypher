// cypher/moderation/delete_account.cypher: begins the deletion of an account for its owner: hides
// the user, ends all sessions, and creates the audit entry and the event that hides the posts at
// once and deletes the account later.
// A suspension stays. The user is locked before the state is read. No row is returned if the account
// is about to be deleted already.
// $user_id:    integer
// $undo_ms:    integer, milliseconds for which the account can be restored
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
WHERE user.state IN ['active', 'suspended']
SET user.state = 'leaving', user.leaves_at = timestamp() + $undo_ms,
  user.leaving_event_id = $event_id, user.session_epoch = coalesce(user.session_epoch, 0) + 1
CREATE (:AuditEntry {
  id: $entry_id, at: timestamp(), operator: $operator, action: 'delete-account', subject: 'user',
  subject_id: $user_id, reason: $reason
})
CREATE (event:Event {
  id: $event_id, kind: 'account-left', queue: 'removal', shard: $event_id % 16,
  subject_id: $user_id, author_id: $user_id, cursor: 0, epoch: 0, attempts: 0, tried: false,
  due_at: timestamp(), owed_at: timestamp(), request_id: $request_id
})
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event
