// cypher/accounts/begin_deletion.cypher: begins to delete an account whose time is over. From here on
// it cannot be restored.
// $user_id:  integer
// $event_id: integer
// returns:   began
// index:     User(id)
MATCH (user:User)
WHERE user.id = $user_id
SET user.locked = true
REMOVE user.locked
WITH user
WHERE user.leaving_event_id = $event_id
  AND (user.state = 'deleting' OR user.state = 'leaving' AND user.leaves_at <= timestamp())
SET user.state = 'deleting'
RETURN true AS began
