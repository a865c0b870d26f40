// cypher/users/count_after.cypher: the number of users above an id.
// $after:  integer, exclusive
// returns: count
// index:   User(id)
MATCH (user:User)
WHERE user.id > $after
RETURN count(user) AS count
