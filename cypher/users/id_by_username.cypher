// cypher/users/id_by_username.cypher: the id of the user with a name, visible or not.
// $username_ci: text, folded
// returns:      user_id
// index:        User(username_ci)
MATCH (user:User)
WHERE user.username_ci = $username_ci
RETURN user.id AS user_id
