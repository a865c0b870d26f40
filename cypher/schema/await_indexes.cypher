// cypher/schema/await_indexes.cypher: waits until every index is populated.
// $seconds: integer, how long at most
// returns:  nothing
// index:    nothing
CALL db.awaitIndexes($seconds)
