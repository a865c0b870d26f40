// cypher/follows/delete.cypher: ends a follow: FOLLOWS becomes LEFT, and an event is created that
// deletes the LEFT later.
// The event is null if only a LEFT exists: a repeat neither renews its time nor creates another
// event, or either user could keep the follower without a timeline for ever. No row is returned if
// neither exists.
// $follower_id: integer
// $followee_id: integer
// $event_id:    integer, new
// $request_id:  text or null, of the request that owes the work
// $hold_ms:     integer, milliseconds until the event is due
// returns:      event
// index:        User(id); FOLLOWS(followee_id, follower_id); LEFT(follower_id, followee_id);
//               Event(id)
MATCH (follower:User)
WHERE follower.id = $follower_id
SET follower.locked = true
REMOVE follower.locked
WITH follower
MATCH (followee:User)
WHERE followee.id = $followee_id
OPTIONAL MATCH ()-[follows:FOLLOWS]->()
WHERE follows.followee_id = $followee_id AND follows.follower_id = $follower_id
OPTIONAL MATCH ()-[ended_follow:LEFT]->()
WHERE ended_follow.follower_id = $follower_id AND ended_follow.followee_id = $followee_id
WITH follower, followee, follows, ended_follow, follows IS NOT NULL AS ends
WHERE ends OR ended_follow IS NOT NULL
FOREACH (_ IN CASE WHEN ends AND ended_follow IS NULL THEN [0] ELSE [] END |
  CREATE (follower)-[:LEFT {
    follower_id: $follower_id, followee_id: $followee_id, created_at: timestamp()
  }]->(followee)
)
FOREACH (_ IN CASE WHEN ends THEN [0] ELSE [] END |
  SET ended_follow.created_at = timestamp()
  CREATE (:Event {
    id: $event_id, kind: 'left', queue: 'timelines', shard: $event_id % 16,
    subject_id: $follower_id, author_id: $followee_id, cursor: 0, epoch: 0, attempts: 0, tried: false,
    due_at: timestamp() + $hold_ms, owed_at: timestamp() + $hold_ms, request_id: $request_id
  })
)
DELETE follows
WITH 1 AS one
OPTIONAL MATCH (event:Event)
WHERE event.id = $event_id
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event
