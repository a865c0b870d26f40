// cypher/accounts/clear_subscriptions.cypher: deletes push subscriptions of a user that is being deleted.
// $user_id: integer
// $limit:   integer
// returns:  cleared
// index:    PushSubscription(user_id, id)
MATCH (subscription:PushSubscription)
USING INDEX subscription:PushSubscription(user_id, id)
WHERE subscription.user_id = $user_id AND subscription.id IS NOT NULL
WITH subscription
LIMIT $limit
DELETE subscription
RETURN count(*) AS cleared
