// cypher/notification_settings/of_users.cypher: the notification settings of each of these users
// that is active.
// $user_ids: list of integers, up to 1000
// returns:   user_id, muted_kinds, quiet_start, quiet_end, quiet_time_zone
// index:     User(id)
UNWIND $user_ids AS user_id
MATCH (user:User)
WHERE user.id = user_id AND user.state = 'active'
RETURN user.id AS user_id, coalesce(user.muted_kinds, []) AS muted_kinds,
  user.quiet_start AS quiet_start, user.quiet_end AS quiet_end,
  user.quiet_time_zone AS quiet_time_zone
