// cypher/follows/create.cypher: creates a follow, its event and the followee's
// notification.
// The follower is locked before anything is read, because a block and an unfollow lock that user
// too. So the degree, which the graph stores with the node, is exact under concurrent follows. The
// event is null if the follow exists, or if the limit is reached. No row is returned if the followee
// does not exist or is not active, or if a block exists in either direction.
// A follower causes at most one notification of a followee in a UTC day, also by several follows.
// Every statement that could create it holds the follower's lock, so none creates a second one. Its
// id is returned if it exists, also if an earlier follow of the day created it. The id has the
// graph's time, so that a host whose clock is ahead hides no later notifications. followed_at is the
// time of the follow in Unix milliseconds, also if it exists; age_ms is its age.
// $follower_id:     integer
// $followee_id:     integer
// $event_id:        integer, new
// $request_id:      text or null, of the request that owes the work
// $notification_id: integer, new; its random bits are used
// $epoch_ms:        integer, Unix milliseconds at which ids begin
// $ids_of_ms:       integer, the number of ids of a millisecond
// $most:            integer, follows of one user
// returns:          event, limit_reached, notification_id, followed_at, age_ms
// index:            User(id); BLOCKS(blocker_id, blocked_id); FOLLOWS(followee_id, follower_id);
//                   Notification(user_id, actor_id, kind, subject_id, day); Event(id)
MATCH (follower:User)
WHERE follower.id = $follower_id AND follower.state = 'active'
SET follower.locked = true
REMOVE follower.locked
WITH follower
MATCH (followee:User)
WHERE followee.id = $followee_id
  AND followee.state = 'active'
  AND NOT EXISTS {
    MATCH ()-[followee_block:BLOCKS]->()
    WHERE followee_block.blocker_id = $followee_id AND followee_block.blocked_id = $follower_id
  }
  AND NOT EXISTS {
    MATCH ()-[follower_block:BLOCKS]->()
    WHERE follower_block.blocker_id = $follower_id AND follower_block.blocked_id = $followee_id
  }
OPTIONAL MATCH ()-[follows:FOLLOWS]->()
WHERE follows.followee_id = $followee_id AND follows.follower_id = $follower_id
WITH follower, followee, follows IS NOT NULL AS follow_exists,
  coalesce(follows.created_at, timestamp()) AS followed_at
WITH follower, followee, follow_exists, followed_at,
  NOT follow_exists AND COUNT { (follower)-[:FOLLOWS]->() } >= $most AS limit_reached,
  timestamp() / 86400000 AS day,
  (timestamp() - $epoch_ms) * $ids_of_ms + $notification_id % $ids_of_ms AS new_id
OPTIONAL MATCH (earlier:Notification)
WHERE earlier.user_id = $followee_id
  AND earlier.actor_id = $follower_id
  AND earlier.kind = 'followed'
  AND earlier.subject_id = $followee_id
  AND earlier.day = day
WITH follower, followee, follow_exists, followed_at, limit_reached, day, new_id,
  earlier.id AS earlier_id,
  NOT follow_exists AND NOT limit_reached AND earlier IS NULL AS notifies
FOREACH (_ IN CASE WHEN follow_exists OR limit_reached THEN [] ELSE [0] END |
  CREATE (follower)-[:FOLLOWS {
    follower_id: $follower_id, followee_id: $followee_id, created_at: timestamp()
  }]->(followee)
  CREATE (:Event {
    id: $event_id, kind: 'followed', queue: 'timelines', shard: $event_id % 16,
    subject_id: $follower_id, author_id: $followee_id, cursor: 0, epoch: 0, attempts: 0, tried: false,
    due_at: timestamp(), owed_at: timestamp(), request_id: $request_id
  })
)
FOREACH (_ IN CASE WHEN notifies THEN [0] ELSE [] END |
  CREATE (:Notification {
    id: new_id, user_id: $followee_id, kind: 'followed', actor_id: $follower_id,
    subject_id: $followee_id, day: day, created_at: timestamp()
  })
)
WITH limit_reached, followed_at,
  CASE WHEN notifies THEN new_id ELSE earlier_id END AS notification_id
OPTIONAL MATCH (event:Event)
WHERE event.id = $event_id
RETURN event {
  .id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts, .request_id
} AS event,
  limit_reached, notification_id, followed_at, timestamp() - followed_at AS age_ms
