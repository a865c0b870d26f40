// cypher/schema/await_indexes.cypher: waits until every index is online.
// $seconds: integer, seconds, the time limit
// returns:  nothing
// index:    nothing
CALL db.awaitIndexes($seconds)
