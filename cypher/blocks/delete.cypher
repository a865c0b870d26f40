// cypher/blocks/delete.cypher: deletes a block.
// The follows that the block ended are not restored.
// $blocker_id: integer
// $blocked_id: integer
// returns:     deleted
// index:       BLOCKS(blocker_id, blocked_id)
MATCH ()-[block:BLOCKS]->()
WHERE block.blocker_id = $blocker_id AND block.blocked_id = $blocked_id
DELETE block
RETURN count(*) AS deleted
