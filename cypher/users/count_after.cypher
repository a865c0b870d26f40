// cypher/users/count_after.cypher: how many users are above an id: what a walk through all has before it.
// $after:  integer, exclusive
// returns: count
// index:   User(id)
MATCH (user:User)
WHERE user.id > $after
RETURN count(user) AS count
