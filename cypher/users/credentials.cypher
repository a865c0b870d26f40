// cypher/users/credentials.cypher: the user id and the password hash of the user with a name, who
// is active or suspended.
// $username_ci: text, folded
// returns:      user_id, password_hash, suspended
// index:        User(username_ci)
MATCH (user:User)
WHERE user.username_ci = $username_ci AND user.state IN ['active', 'suspended']
RETURN user.id AS user_id, user.password_hash AS password_hash,
  user.suspended_at IS NOT NULL AS suspended
