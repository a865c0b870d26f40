// cypher/users/id_by_username.cypher: whose name this is, visible or not.
// $username_ci: text, as compared
// returns:      user_id
// index:        User(username_ci)
MATCH (user:User)
WHERE user.username_ci = $username_ci
RETURN user.id AS user_id
