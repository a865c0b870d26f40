// cypher/accounts/free_names.cypher: frees the names of accounts that were deleted long ago.
// The receipt stays: the id and the time.
// $limit:  integer
// returns: cleared
// index:   User(name_free_at)
MATCH (user:User)
USING INDEX user:User(name_free_at)
WHERE user.name_free_at < timestamp()
WITH user
LIMIT $limit
REMOVE user.username_ci, user.name_free_at
RETURN count(*) AS cleared
