// cypher/users/visible.cypher: those of these users whom a viewer may see: active users without a
// block in either direction.
// Only this statement decides visibility.
// $user_ids:  list of integers, up to 500
// $viewer_id: integer
// returns:    user
// index:      User(id); BLOCKS(blocker_id, blocked_id)
UNWIND $user_ids AS user_id
MATCH (user:User)
WHERE user.id = user_id
  AND user.state = 'active'
  AND NOT EXISTS {
    MATCH ()-[block_by_user:BLOCKS]->()
    WHERE block_by_user.blocker_id = user_id AND block_by_user.blocked_id = $viewer_id
  }
  AND NOT EXISTS {
    MATCH ()-[block_by_viewer:BLOCKS]->()
    WHERE block_by_viewer.blocker_id = $viewer_id AND block_by_viewer.blocked_id = user_id
  }
RETURN user {.id, .username, .name, .bio, .location, .state, .created_at} AS user
