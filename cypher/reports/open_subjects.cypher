// cypher/reports/open_subjects.cypher: the number of posts and users with open reports, which the
// graph stores with the label.
// returns: subjects
// index:   :ReportedSubject
MATCH (reported:ReportedSubject)
RETURN count(reported) AS subjects
