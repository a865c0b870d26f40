// cypher/schema/session_expiry.cypher: sessions in the order in which they expire.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX session_expiry IF NOT EXISTS
FOR (node:Session)
ON (node.expires_at)
