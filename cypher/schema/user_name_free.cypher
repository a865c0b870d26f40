// cypher/schema/user_name_free.cypher: orders deleted users by the time at which their names are free.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX user_name_free IF NOT EXISTS
FOR (node:User)
ON (node.name_free_at)
