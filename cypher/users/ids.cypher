// cypher/users/ids.cypher: the ids of users above an id, in any state, ascending.
// $after:  integer, exclusive
// $limit:  integer, 1 to 1000
// returns: user_ids
// index:   User(id)
MATCH (user:User)
WHERE user.id > $after
WITH user.id AS id
ORDER BY user.id
LIMIT $limit
RETURN collect(id) AS user_ids
