// cypher/blocks/create.cypher: a block; both follows end as leavings, and one event is owed for all.
// Both users are locked in the order of their ids before anything is read. The event is null where
// the block stood and nothing was being left; no row where one of them is absent.
// $blocker_id: integer
// $blocked_id: integer
// $lower_id:   integer, the smaller of the two
// $upper_id:   integer, the larger
// $event_id:   integer, new
// $hold_ms:    integer, milliseconds
// returns:     event
// index:       User(id); BLOCKS(blocker_id, blocked_id); FOLLOWS(followee_id, follower_id);
//              LEFT(follower_id, followee_id); Event(id)
MATCH (lower:User)
WHERE lower.id = $lower_id AND lower.state = 'active'
SET lower.locked = true
REMOVE lower.locked
WITH lower
MATCH (upper:User)
WHERE upper.id = $upper_id AND upper.state = 'active'
SET upper.locked = true
REMOVE upper.locked
WITH CASE WHEN lower.id = $blocker_id THEN lower ELSE upper END AS blocker,
  CASE WHEN lower.id = $blocker_id THEN upper ELSE lower END AS blocked
OPTIONAL MATCH ()-[block:BLOCKS]->()
WHERE block.blocker_id = $blocker_id AND block.blocked_id = $blocked_id
OPTIONAL MATCH ()-[mine:FOLLOWS]->()
WHERE mine.followee_id = $blocked_id AND mine.follower_id = $blocker_id
OPTIONAL MATCH ()-[theirs:FOLLOWS]->()
WHERE theirs.followee_id = $blocker_id AND theirs.follower_id = $blocked_id
OPTIONAL MATCH ()-[my_leaving:LEFT]->()
WHERE my_leaving.follower_id = $blocker_id AND my_leaving.followee_id = $blocked_id
OPTIONAL MATCH ()-[their_leaving:LEFT]->()
WHERE their_leaving.follower_id = $blocked_id AND their_leaving.followee_id = $blocker_id
WITH blocker, blocked, block, mine, theirs, my_leaving, their_leaving,
  block IS NULL OR mine IS NOT NULL OR theirs IS NOT NULL
    OR my_leaving IS NOT NULL OR their_leaving IS NOT NULL AS changes
SET my_leaving.created_at = timestamp(), their_leaving.created_at = timestamp()
FOREACH (_ IN CASE WHEN mine IS NOT NULL AND my_leaving IS NULL THEN [0] ELSE [] END |
  CREATE (blocker)-[:LEFT {
    follower_id: $blocker_id, followee_id: $blocked_id, created_at: timestamp()
  }]->(blocked)
)
FOREACH (_ IN CASE WHEN theirs IS NOT NULL AND their_leaving IS NULL THEN [0] ELSE [] END |
  CREATE (blocked)-[:LEFT {
    follower_id: $blocked_id, followee_id: $blocker_id, created_at: timestamp()
  }]->(blocker)
)
FOREACH (_ IN CASE WHEN block IS NULL THEN [0] ELSE [] END |
  CREATE (blocker)-[:BLOCKS {
    blocker_id: $blocker_id, blocked_id: $blocked_id, created_at: timestamp()
  }]->(blocked)
)
FOREACH (_ IN CASE WHEN changes THEN [0] ELSE [] END |
  CREATE (:Event {
    id: $event_id, kind: 'blocked', shard: $event_id % 16, subject_id: $blocker_id,
    author_id: $blocked_id, cursor: 0, epoch: 0, attempts: 0,
    due_at: timestamp() + $hold_ms, rung_at: 0
  })
)
DELETE mine, theirs
WITH 1 AS one
OPTIONAL MATCH (event:Event)
WHERE event.id = $event_id
RETURN event {.id, .kind, .subject_id, .author_id, .epoch, .cursor, .attempts} AS event
