// cypher/schema/photo_unposted.cypher: orders unposted photos by the end of their state;
// posted photos are not in it.
// returns: nothing
// index:   nothing
CREATE RANGE INDEX photo_unposted IF NOT EXISTS
FOR (node:Photo)
ON (node.unposted_until)
