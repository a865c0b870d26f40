// cypher/users/update.cypher: changes a profile.
// A new name also creates the event that refreshes the bodies of the user's posts.
// $user_id:    integer
// $changes:    map of name, bio, location; null removes a field
// $event_id:   integer, new
// $request_id: text or null, of the request that owes the work
// returns:     user, event
// index:       User(id); Event(id)
MATCH (user:User)
WHERE user.id = $user_id AND user.state = 'active'
SET user.locked = true
REMOVE user.locked
WITH user, $changes.name IS NOT NULL AND $changes.name <> user.name AS renamed
SET user += $changes
FOREACH (_ IN CASE WHEN renamed THEN [0] ELSE [] END |
  CREATE (:Event {
    id: $event_id, kind: 'profile-changed', queue: 'removal', shard: $event_id % 16,
    subject_id: $user_id, author_id: $user_id, cursor: 0, epoch: 0, attempts: 0, tried: false,
    due_at: timestamp(), owed_at: timestamp(), request_id: $request_id
  })
)
WITH user
OPTIONAL MATCH (event:Event)
WHERE event.id = $event_id
RETURN user {.id, .username, .name, .bio, .location, .state, .created_at} AS user,
  event {
    .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
  } AS event
