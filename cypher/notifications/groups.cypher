// cypher/notifications/groups.cypher: a page of a user's notifications, grouped by UTC day, kind and
// subject, newest group first.
// A notification is left out if its actor is not active, if a block exists between the two in either
// direction, or if the fact has ended that its kind needs. The user's $most newest notifications are
// read. A group's `position` is the id of its newest notification, also of one that is left out, so
// that it stays where it is in the pages when an actor leaves. Its `id` is that of the newest one
// that is shown.
// $user_id: integer
// $kinds:   list of texts, the kinds that can be shown
// $before:  integer, exclusive, bounds `position`
// $most:    integer, 1 to 2000
// $limit:   integer, 1 to 101, groups
// returns:  kind, subject_id, position, actor_count, id, created_at, actors
// index:    Notification(user_id, id); User(id); BLOCKS(blocker_id, blocked_id);
//           FOLLOWS(followee_id, follower_id)
// sorts:    the groups; the notifications of a group
MATCH (notification:Notification)
USING INDEX notification:Notification(user_id, id)
WHERE notification.user_id = $user_id AND notification.id > 0
WITH notification
ORDER BY notification.user_id DESC, notification.id DESC
LIMIT $most
WITH notification
WHERE notification.kind IN $kinds
WITH notification.day AS day, notification.kind AS kind, notification.subject_id AS subject_id,
  max(notification.id) AS position, collect(notification) AS notifications
WHERE position < $before
WITH day, kind, subject_id, position, notifications
ORDER BY position DESC
CALL (day, kind, notifications) {
  UNWIND notifications AS notification
  WITH day, kind, notification, notification.actor_id AS actor_id
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
  WITH notification, actor
  ORDER BY notification.id DESC
  WITH collect({id: notification.id, created_at: notification.created_at,
    actor: actor {.id, .username, .name}}) AS shown
  RETURN shown
}
WITH kind, subject_id, position, shown
WHERE size(shown) > 0
RETURN kind, subject_id, position, size(shown) AS actor_count, shown[0].id AS id,
  shown[0].created_at AS created_at, [one IN shown[..2] | one.actor] AS actors
LIMIT $limit
