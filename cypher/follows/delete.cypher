// cypher/follows/delete.cypher: turns a follow into a LEFT and owes the event that ends it; a LEFT that
// stands is put off. One row, or none where there is neither.
// $follower_id: integer
// $followee_id: integer
// $event_id:    integer, new
// $hold_ms:     integer, milliseconds
// returns:      event
// index:        User(id); FOLLOWS(followee_id, follower_id); LEFT(follower_id, followee_id)
MATCH (follower:User)
WHERE follower.id = $follower_id
SET follower.locked = true
REMOVE follower.locked
WITH follower
MATCH (followee:User)
WHERE followee.id = $followee_id
OPTIONAL MATCH ()-[follows:FOLLOWS]->()
WHERE follows.followee_id = $followee_id AND follows.follower_id = $follower_id
OPTIONAL MATCH ()-[leaving:LEFT]->()
WHERE leaving.follower_id = $follower_id AND leaving.followee_id = $followee_id
WITH follower, followee, follows, leaving
WHERE follows IS NOT NULL OR leaving IS NOT NULL
SET leaving.created_at = timestamp()
FOREACH (_ IN CASE WHEN leaving IS NULL THEN [0] ELSE [] END |
  CREATE (follower)-[:LEFT {
    follower_id: $follower_id, followee_id: $followee_id, created_at: timestamp()
  }]->(followee)
)
DELETE follows
CREATE (event:Event {
  id: $event_id, kind: 'left', shard: $event_id % 16, subject_id: $follower_id,
  author_id: $followee_id, cursor: 0, epoch: 0, attempts: 0,
  due_at: timestamp() + $hold_ms, rung_at: 0
})
RETURN event {.id, .kind, .subject_id, .author_id, .epoch, .cursor, .attempts} AS event
