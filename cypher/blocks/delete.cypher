// cypher/blocks/delete.cypher: ends a block; the follows that it ended do not come back.
// $blocker_id: integer
// $blocked_id: integer
// returns:     ended
// index:       BLOCKS(blocker_id, blocked_id)
MATCH ()-[block:BLOCKS]->()
WHERE block.blocker_id = $blocker_id AND block.blocked_id = $blocked_id
DELETE block
RETURN count(*) AS ended
