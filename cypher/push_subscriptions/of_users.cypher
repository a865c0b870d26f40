// cypher/push_subscriptions/of_users.cypher: the push subscriptions of each of these users that may
// be sent to, newest first: those that have not ended or expired, and whose session has not ended.
// $user_ids: list of integers, up to 1000
// returns:   subscription
// index:     PushSubscription(user_id, id); Session(id); User(id)
UNWIND $user_ids AS user_id
CALL (user_id) {
  MATCH (subscription:PushSubscription)
  USING INDEX subscription:PushSubscription(user_id, id)
  WHERE subscription.user_id = user_id
    AND subscription.id > 0
    AND subscription.endpoint IS NOT NULL
    AND coalesce(subscription.expires_at > timestamp(), true)
  WITH subscription
  ORDER BY subscription.user_id DESC, subscription.id DESC
  MATCH (session:Session)
  USING INDEX session:Session(id)
  WHERE session.id = subscription.session_id
    AND session.user_id = subscription.user_id
    AND session.expires_at > timestamp()
  MATCH (user:User)
  WHERE user.id = session.user_id
    AND coalesce(session.epoch, 0) = coalesce(user.session_epoch, 0)
  RETURN subscription
}
RETURN subscription {.id, .user_id, .session_id, .endpoint, .p256dh, .auth, .created_at}
  AS subscription
