// cypher/moderation/log.cypher: a page of the audit log, newest first.
// $before: integer, exclusive
// $limit:  integer, 1 to 1001
// returns: id, at, operator, action, subject, subject_id, reason
// index:   AuditEntry(id)
MATCH (entry:AuditEntry)
USING INDEX entry:AuditEntry(id)
WHERE entry.id < $before
WITH entry
ORDER BY entry.id DESC
LIMIT $limit
RETURN entry.id AS id, entry.at AS at, entry.operator AS operator, entry.action AS action,
  entry.subject AS subject, entry.subject_id AS subject_id, entry.reason AS reason
