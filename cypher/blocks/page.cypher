// cypher/blocks/page.cypher: a page of the active users whom a user blocks, descending by id.
// $blocker_id: integer
// $before:     integer, exclusive
// $limit:      integer, 1 to 501
// returns:     user
// index:       BLOCKS(blocker_id, blocked_id)
MATCH ()-[block:BLOCKS]->(user:User)
WHERE block.blocker_id = $blocker_id AND block.blocked_id < $before AND user.state = 'active'
RETURN user {.id, .username, .name, .bio, .location, .state, .created_at} AS user
ORDER BY block.blocker_id DESC, block.blocked_id DESC
LIMIT $limit
