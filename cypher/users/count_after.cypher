// cypher/users/count_after.cypher: the number of users above an id, counted up to a limit, and the
// id of the last one that was counted, null without one.
// $after:  integer, exclusive
// $limit:  integer, 1 to 100000
// returns: count, last_id
// index:   User(id)
MATCH (user:User)
WHERE user.id > $after
WITH user.id AS id
ORDER BY user.id
LIMIT $limit
RETURN count(id) AS count, max(id) AS last_id
