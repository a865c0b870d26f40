// cypher/accounts/credentials_of.cypher: the state and the password hash of a user who can ask for the
// deletion of the account, or has.
// $user_id: integer
// returns:  state, password_hash
// index:    User(id)
MATCH (user:User)
WHERE user.id = $user_id AND user.state IN ['active', 'leaving']
RETURN user.state AS state, user.password_hash AS password_hash
