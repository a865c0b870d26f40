// cypher/users/knows_network.cypher: whether the user with a name has signed in from a network.
// $username_ci: text, folded
// $network:     text
// returns:      known
// index:        User(username_ci)
MATCH (user:User)
WHERE user.username_ci = $username_ci
RETURN $network IN coalesce(user.known_networks, []) AS known
