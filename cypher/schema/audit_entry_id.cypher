// cypher/schema/audit_entry_id.cypher: at most one audit entry with an id.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT audit_entry_id IF NOT EXISTS
FOR (node:AuditEntry)
REQUIRE node.id IS UNIQUE
