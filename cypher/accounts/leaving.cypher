// cypher/accounts/leaving.cypher: whether an event's account is still about to be deleted, and the
// time until then.
// $user_id:  integer
// $event_id: integer
// returns:   state, left_ms
// index:     User(id)
MATCH (user:User)
WHERE user.id = $user_id AND user.leaving_event_id = $event_id
RETURN user.state AS state, user.leaves_at - timestamp() AS left_ms
