// cypher/users/password_hash.cypher: the password hash of an active user.
// $user_id: integer
// returns:  password_hash
// index:    User(id)
MATCH (user:User)
WHERE user.id = $user_id AND user.state = 'active'
RETURN user.password_hash AS password_hash
