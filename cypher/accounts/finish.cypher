// cypher/accounts/finish.cypher: ends the deletion of an account: a receipt without personal data
// stays, and the folded name, which nobody gets for a while.
// A repeat creates no second receipt.
// $user_id: integer
// $name_ms: integer, milliseconds until the name is free
// returns:  finished
// index:    User(id)
MATCH (user:User)
WHERE user.id = $user_id
SET user.locked = true
REMOVE user.locked
WITH user
WHERE user.state = 'deleting'
SET user.state = 'deleted', user.deleted_at = timestamp(),
  user.name_free_at = timestamp() + $name_ms
REMOVE user.username, user.name, user.bio, user.location, user.password_hash, user.leaves_at,
  user.leaving_event_id, user.suspended_at, user.session_epoch, user.read_position,
  user.notification_position, user.known_networks, user.muted_kinds, user.quiet_start,
  user.quiet_end, user.quiet_time_zone
RETURN true AS finished
