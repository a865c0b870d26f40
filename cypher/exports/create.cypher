// cypher/exports/create.cypher: creates an export in state waiting, and the event that makes its
// parts.
// The user is locked before the exports are read, so a user has one unfinished export at most. If
// there is one, or if $most were asked for in the last $window_ms, nothing is created and the event
// is null. Failed exports do not count. wait_ms is the time until the oldest of them no longer
// counts.
// $export_id:  integer, new
// $user_id:    integer
// $path:       text, part of the names of its objects
// $before:     integer, above all ids
// $most:       integer, exports of a user in the window
// $window_ms:  integer, milliseconds
// $life_ms:    integer, milliseconds until it fails if no part is made
// $event_id:   integer, new
// $request_id: text or null, of the request that owes the work
// returns:     unfinished_id, limit_reached, wait_ms, export, left_ms, event
// index:       User(id); Export(user_id, id); Export(id); Event(id)
MATCH (user:User)
WHERE user.id = $user_id
SET user.locked = true
REMOVE user.locked
WITH user
WHERE user.state = 'active'
OPTIONAL MATCH (earlier:Export)
USING INDEX earlier:Export(user_id, id)
WHERE earlier.user_id = $user_id AND earlier.id IS NOT NULL
WITH user,
  max(CASE WHEN earlier.state IN ['waiting', 'running'] THEN earlier.id END) AS unfinished_id,
  collect(CASE
    WHEN earlier.state <> 'failed' AND earlier.created_at > timestamp() - $window_ms
    THEN earlier.created_at
  END) AS asked_at
WITH unfinished_id, size(asked_at) >= $most AS limit_reached,
  reduce(oldest = timestamp(), at IN asked_at | CASE WHEN at < oldest THEN at ELSE oldest END)
    + $window_ms - timestamp() AS wait_ms
FOREACH (_ IN CASE WHEN unfinished_id IS NULL AND NOT limit_reached THEN [0] ELSE [] END |
  CREATE (:Export {
    id: $export_id, user_id: $user_id, path: $path, state: 'waiting', created_at: timestamp(),
    state_until: timestamp() + $life_ms, section: '', before: $before, part_sizes: [],
    part_epochs: [], missing_count: 0
  })
  CREATE (:Event {
    id: $event_id, kind: 'export-asked', queue: 'exports', shard: $event_id % 16,
    subject_id: $export_id, author_id: $user_id, cursor: 0, epoch: 0, attempts: 0, tried: false,
    due_at: timestamp(), owed_at: timestamp(), request_id: $request_id
  })
)
WITH unfinished_id, limit_reached, wait_ms
OPTIONAL MATCH (export:Export)
USING INDEX export:Export(id)
WHERE export.id = $export_id
OPTIONAL MATCH (event:Event)
WHERE event.id = $event_id
RETURN unfinished_id, limit_reached, wait_ms, export {
  .id, .user_id, .path, .state, .failure_code, .created_at, .state_until, .section, .before,
  .part_sizes, .part_epochs, .missing_count
} AS export,
  export.state_until - timestamp() AS left_ms,
  event {
    .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
  } AS event
