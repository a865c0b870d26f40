// cypher/accounts/clear_relations.cypher: deletes follows, ended follows and blocks of a user that is
// being deleted, in both directions.
// Timelines stay as they are: the user has no post any more.
// $user_id: integer
// $limit:   integer
// returns:  cleared
// index:    User(id)
// expands:  the user's relationships
MATCH (user:User)
WHERE user.id = $user_id AND user.state = 'deleting'
MATCH (user)-[relation:FOLLOWS|LEFT|BLOCKS]-(:User)
WITH relation
LIMIT $limit
DELETE relation
RETURN count(*) AS cleared
