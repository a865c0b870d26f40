// cypher/schema/reported_subject.cypher: a post or user with open reports is one ReportedSubject.
// returns: nothing
// index:   nothing
CREATE CONSTRAINT reported_subject IF NOT EXISTS
FOR (node:ReportedSubject)
REQUIRE (node.subject, node.subject_id) IS UNIQUE
