// cypher/blocks/create.cypher: creates a block, ends the follows between the two users, and creates
// one event for both.
// Each ended FOLLOWS becomes a LEFT. Both users are locked in the order of their ids before
// anything is read, so that concurrent blocks of one pair do not deadlock. The event is null if no
// FOLLOWS is ended: neither a repeat nor a block after an unblock renews a LEFT. leaver_ids has the
// users whose follow of the other is ended, now or for less than the time of a LEFT. No row is
// returned if one of the users does not exist or is not active.
// $blocker_id: integer
// $blocked_id: integer
// $lower_id:   integer, the smaller of the two ids
// $upper_id:   integer, the larger of the two ids
// $event_id:   integer, new
// $request_id: text or null, of the request that owes the work
// $hold_ms:    integer, milliseconds until the event is due
// returns:     event, leaver_ids
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
OPTIONAL MATCH ()-[blocker_follow:FOLLOWS]->()
WHERE blocker_follow.followee_id = $blocked_id AND blocker_follow.follower_id = $blocker_id
OPTIONAL MATCH ()-[blocked_follow:FOLLOWS]->()
WHERE blocked_follow.followee_id = $blocker_id AND blocked_follow.follower_id = $blocked_id
OPTIONAL MATCH ()-[blocker_left:LEFT]->()
WHERE blocker_left.follower_id = $blocker_id AND blocker_left.followee_id = $blocked_id
OPTIONAL MATCH ()-[blocked_left:LEFT]->()
WHERE blocked_left.follower_id = $blocked_id AND blocked_left.followee_id = $blocker_id
WITH blocker, blocked, block, blocker_follow, blocked_follow, blocker_left, blocked_left,
  blocker_follow IS NOT NULL AS blocker_leaves, blocked_follow IS NOT NULL AS blocked_leaves,
  CASE WHEN blocker_follow IS NULL AND blocker_left IS NULL THEN [] ELSE [$blocker_id] END
    + CASE WHEN blocked_follow IS NULL AND blocked_left IS NULL THEN [] ELSE [$blocked_id] END
    AS leaver_ids
FOREACH (_ IN CASE WHEN blocker_leaves THEN [0] ELSE [] END |
  SET blocker_left.created_at = timestamp()
)
FOREACH (_ IN CASE WHEN blocked_leaves THEN [0] ELSE [] END |
  SET blocked_left.created_at = timestamp()
)
FOREACH (_ IN CASE WHEN blocker_leaves AND blocker_left IS NULL THEN [0] ELSE [] END |
  CREATE (blocker)-[:LEFT {
    follower_id: $blocker_id, followee_id: $blocked_id, created_at: timestamp()
  }]->(blocked)
)
FOREACH (_ IN CASE WHEN blocked_leaves AND blocked_left IS NULL THEN [0] ELSE [] END |
  CREATE (blocked)-[:LEFT {
    follower_id: $blocked_id, followee_id: $blocker_id, created_at: timestamp()
  }]->(blocker)
)
FOREACH (_ IN CASE WHEN block IS NULL THEN [0] ELSE [] END |
  CREATE (blocker)-[:BLOCKS {
    blocker_id: $blocker_id, blocked_id: $blocked_id, created_at: timestamp()
  }]->(blocked)
)
FOREACH (_ IN CASE WHEN blocker_leaves OR blocked_leaves THEN [0] ELSE [] END |
  CREATE (:Event {
    id: $event_id, kind: 'blocked', queue: 'timelines', shard: $event_id % 16,
    subject_id: $blocker_id, author_id: $blocked_id, cursor: 0, epoch: 0, attempts: 0, tried: false,
    due_at: timestamp() + $hold_ms, owed_at: timestamp() + $hold_ms, request_id: $request_id
  })
)
DELETE blocker_follow, blocked_follow
WITH leaver_ids
OPTIONAL MATCH (event:Event)
WHERE event.id = $event_id
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event, leaver_ids
