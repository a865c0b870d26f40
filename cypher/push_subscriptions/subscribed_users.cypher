// cypher/push_subscriptions/subscribed_users.cypher: the push subscriptions of a partition's users,
// in the order of the users' ids, with whether each may be sent to.
// $partition: integer
// $after:     integer, a user id, exclusive
// $limit:     integer, subscriptions
// returns:    user_id, subscription_id, is_live
// index:      PushSubscription(partition, user_id); Session(id)
MATCH (subscription:PushSubscription)
USING INDEX subscription:PushSubscription(partition, user_id)
WHERE subscription.partition = $partition AND subscription.user_id > $after
WITH subscription
ORDER BY subscription.partition, subscription.user_id
LIMIT $limit
RETURN subscription.user_id AS user_id,
  subscription.id AS subscription_id,
  coalesce(subscription.expires_at > timestamp(), true) AND EXISTS {
    MATCH (session:Session)
    USING INDEX session:Session(id)
    WHERE session.id = subscription.session_id
      AND session.user_id = subscription.user_id
      AND session.expires_at > timestamp()
  } AS is_live
