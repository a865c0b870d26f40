// cypher/moderation/user.cypher: the state of a user, and whether an operator has suspended the
// account.
// $user_id: integer
// returns:  state, suspended
// index:    User(id)
MATCH (user:User)
WHERE user.id = $user_id
RETURN user.state AS state, user.suspended_at IS NOT NULL AS suspended
