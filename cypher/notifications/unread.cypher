// cypher/notifications/unread.cypher: the number of a user's notifications above the user's
// position, counted up to a limit, and the newest id.
// Notifications are left out as in notifications/groups. The user's $most newest ones are read, in
// descending order, until $limit are found that can be shown.
// $user_id: integer
// $kinds:   list of texts, the kinds that can be shown
// $most:    integer, 1 to 2000
// $limit:   integer, 1 to 1000
// returns:  count, newest_id
// index:    Notification(user_id, id); User(id); BLOCKS(blocker_id, blocked_id);
//           FOLLOWS(followee_id, follower_id)
MATCH (notification:Notification)
USING INDEX notification:Notification(user_id, id)
WHERE notification.user_id = $user_id AND notification.id > 0
WITH notification
ORDER BY notification.user_id DESC, notification.id DESC
LIMIT $most
WITH notification, notification.kind AS kind, notification.actor_id AS actor_id,
  notification.day AS day
WHERE kind IN $kinds
MATCH (actor:User)
WHERE actor.id = actor_id
  AND actor.state = 'active'
  AND NOT EXISTS {
    MATCH ()-[block_by_actor:BLOCKS]->()
    WHERE block_by_actor.blocker_id = actor_id AND block_by_actor.blocked_id = $user_id
  }
  AND NOT EXISTS {
    MATCH ()-[block_by_user:BLOCKS]->()
    WHERE block_by_user.blocker_id = $user_id AND block_by_user.blocked_id = actor_id
  }
  AND (kind <> 'followed' OR EXISTS {
    MATCH ()-[follows:FOLLOWS]->()
    WHERE follows.followee_id = $user_id
      AND follows.follower_id = actor_id
      AND follows.created_at / 86400000 = day
  })
WITH notification.id AS id
LIMIT $limit
WITH collect(id) AS ids
MATCH (user:User)
WHERE user.id = $user_id
RETURN size([id IN ids WHERE id > coalesce(user.notification_position, 0)]) AS count,
  head(ids) AS newest_id
