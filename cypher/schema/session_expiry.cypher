// cypher/schema/session_expiry.cypher: orders sessions by the time at which they expire.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX session_expiry IF NOT EXISTS
FOR (node:Session)
ON (node.expires_at)
