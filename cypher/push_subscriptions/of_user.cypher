// cypher/push_subscriptions/of_user.cypher: a user's push subscriptions that may be sent to, newest
// first: those that have not ended or expired, and whose session has not ended.
// $user_id: integer
// returns:  subscription
// index:    PushSubscription(user_id, id); Session(id)
MATCH (subscription:PushSubscription)
USING INDEX subscription:PushSubscription(user_id, id)
WHERE subscription.user_id = $user_id
  AND subscription.id IS NOT NULL
  AND subscription.endpoint IS NOT NULL
  AND coalesce(subscription.expires_at > timestamp(), true)
WITH subscription
ORDER BY subscription.user_id DESC, subscription.id DESC
MATCH (session:Session)
USING INDEX session:Session(id)
WHERE session.id = subscription.session_id
  AND session.user_id = subscription.user_id
  AND session.expires_at > timestamp()
RETURN subscription {.id, .user_id, .session_id, .endpoint, .p256dh, .auth, .created_at}
  AS subscription
