// cypher/notification_settings/update.cypher: changes a user's notification settings.
// The user is locked first, so that concurrent changes of different settings are all kept. Nothing
// changes and `complete` is false if the quiet hours would have some of their three properties and
// not all.
// $user_id:       integer
// $muted_kinds:   list of texts, kinds to mute
// $unmuted_kinds: list of texts, kinds to unmute
// $quiet_hours:   map of quiet_start, quiet_end, quiet_time_zone; null removes a property
// returns:        complete, user_id, muted_kinds, quiet_start, quiet_end, quiet_time_zone
// index:          User(id)
MATCH (user:User)
WHERE user.id = $user_id AND user.state = 'active'
SET user.locked = true
REMOVE user.locked
WITH user, size([name IN ['quiet_start', 'quiet_end', 'quiet_time_zone']
  WHERE CASE WHEN name IN keys($quiet_hours) THEN $quiet_hours[name] ELSE user[name] END
    IS NOT NULL]) IN [0, 3] AS complete
FOREACH (_ IN CASE WHEN complete THEN [0] ELSE [] END |
  SET user += $quiet_hours, user.muted_kinds = $muted_kinds + [kind IN
    coalesce(user.muted_kinds, []) WHERE NOT kind IN $muted_kinds AND NOT kind IN $unmuted_kinds]
)
RETURN complete, user.id AS user_id, user.muted_kinds AS muted_kinds,
  user.quiet_start AS quiet_start, user.quiet_end AS quiet_end,
  user.quiet_time_zone AS quiet_time_zone
