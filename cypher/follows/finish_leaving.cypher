// cypher/follows/finish_leaving.cypher: ends the leavings that have lasted long enough.
// The follower is locked, so that a repeated leaving is seen.
// $pairs:   list of [follower id, followee id]
// $hold_ms: integer, milliseconds
// returns:  ended
// index:    User(id); LEFT(follower_id, followee_id)
UNWIND $pairs AS pair
MATCH (follower:User)
WHERE follower.id = pair[0]
SET follower.locked = true
REMOVE follower.locked
WITH follower, pair
MATCH ()-[leaving:LEFT]->()
WHERE leaving.follower_id = pair[0]
  AND leaving.followee_id = pair[1]
  AND leaving.created_at <= timestamp() - $hold_ms
DELETE leaving
RETURN count(*) AS ended
