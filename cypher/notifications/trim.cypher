// cypher/notifications/trim.cypher: deletes what a user has beyond $most notifications, if there are
// more than $slack: first those whose fact has ended, then the others, the oldest first.
// The user's $most + $limit newest notifications are looked at. So follows that end at once do not
// push out notifications that are shown.
// The user is locked first: two statements at once would delete different ones. The actor of an
// ended one is locked, and its fact is checked again: a new follow of the same day holds that lock,
// and shows the notification again.
// $user_id: integer
// $most:    integer, 1 to 1000
// $slack:   integer, 0 to 50
// $limit:   integer, 1 to 1000
// returns:  deleted
// index:    Notification(user_id, id); FOLLOWS(followee_id, follower_id); User(id)
// sorts:    up to $most + $limit notifications, by whether their fact stands
MATCH (notification:Notification)
USING INDEX notification:Notification(user_id, id)
WHERE notification.user_id = $user_id AND notification.id > 0
WITH notification
LIMIT $most + $limit
WITH count(notification) AS stored
WHERE stored > $most + $slack
MATCH (user:User)
WHERE user.id = $user_id
SET user.locked = true
REMOVE user.locked
WITH user
MATCH (notification:Notification)
USING INDEX notification:Notification(user_id, id)
WHERE notification.user_id = $user_id AND notification.id > 0
WITH notification
ORDER BY notification.user_id DESC, notification.id DESC
LIMIT $most + $limit
WITH collect(notification) AS notifications
WITH notifications, size(notifications) - $most AS excess
WHERE excess > 0
UNWIND notifications AS notification
WITH notification, excess, notification.kind AS kind, notification.actor_id AS actor_id,
  notification.day AS day
WITH notification, excess, (kind <> 'followed' OR EXISTS {
    MATCH ()-[follows:FOLLOWS]->()
    WHERE follows.followee_id = $user_id
      AND follows.follower_id = actor_id
      AND follows.created_at / 86400000 = day
  }) AS stands
ORDER BY stands, notification.id
WITH collect({notification: notification, stands: stands})[..head(collect(excess))] AS surplus
UNWIND surplus AS one
WITH one.notification AS notification, one.stands AS stands
OPTIONAL MATCH (actor:User)
WHERE NOT stands AND actor.id = notification.actor_id
SET actor.locked = true
REMOVE actor.locked
WITH notification, stands, notification.actor_id AS actor_id, notification.day AS day
WHERE stands OR NOT EXISTS {
  MATCH ()-[follows:FOLLOWS]->()
  WHERE follows.followee_id = $user_id
    AND follows.follower_id = actor_id
    AND follows.created_at / 86400000 = day
}
DELETE notification
RETURN count(*) AS deleted
