// cypher/schema/photo_state_dropped.cypher: drops an index of older versions; no query uses
// it.
// returns: nothing
// index:   nothing
DROP INDEX photo_state IF EXISTS
