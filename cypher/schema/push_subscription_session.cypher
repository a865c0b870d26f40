// cypher/schema/push_subscription_session.cypher: finds the push subscriptions of a session.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX push_subscription_session IF NOT EXISTS
FOR (node:PushSubscription)
ON (node.session_id)
