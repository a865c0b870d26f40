// cypher/users/visible.cypher: which of these users a viewer may see, the only place that
// decides it: the active ones with no block either way.
// $user_ids:  list of integers, up to 101
// $viewer_id: integer
// returns:    user
// index:      User(id); BLOCKS(blocker_id, blocked_id)
UNWIND $user_ids AS user_id
MATCH (user:User)
WHERE user.id = user_id
  AND user.state = 'active'
  AND NOT EXISTS {
    MATCH ()-[theirs:BLOCKS]->()
    WHERE theirs.blocker_id = user_id AND theirs.blocked_id = $viewer_id
  }
  AND NOT EXISTS {
    MATCH ()-[mine:BLOCKS]->()
    WHERE mine.blocker_id = $viewer_id AND mine.blocked_id = user_id
  }
RETURN user {.id, .username, .name, .bio, .location, .state, .created_at} AS user
