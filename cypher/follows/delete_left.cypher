// cypher/follows/delete_left.cypher: deletes each LEFT that is old enough.
// The follower is locked, so that a concurrent unfollow is seen.
// $pairs:   list of [follower id, followee id]
// $hold_ms: integer, milliseconds, the lowest age of a LEFT to delete
// returns:  deleted
// index:    User(id); LEFT(follower_id, followee_id)
UNWIND $pairs AS pair
MATCH (follower:User)
WHERE follower.id = pair[0]
SET follower.locked = true
REMOVE follower.locked
WITH follower, pair
MATCH ()-[ended_follow:LEFT]->()
WHERE ended_follow.follower_id = pair[0]
  AND ended_follow.followee_id = pair[1]
  AND ended_follow.created_at <= timestamp() - $hold_ms
DELETE ended_follow
RETURN count(*) AS deleted
