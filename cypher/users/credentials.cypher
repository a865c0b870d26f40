// cypher/users/credentials.cypher: what a sign-in is checked against; active users only.
// $username_ci: text, as compared
// returns:      user_id, password_hash
// index:        User(username_ci)
MATCH (user:User)
WHERE user.username_ci = $username_ci AND user.state = 'active'
RETURN user.id AS user_id, user.password_hash AS password_hash
