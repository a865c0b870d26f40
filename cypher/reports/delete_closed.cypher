// cypher/reports/delete_closed.cypher: deletes reports that were closed long ago.
// $life_ms: integer, milliseconds since a report was closed
// $limit:   integer
// returns:  cleared
// index:    Report(closed_at)
MATCH (report:Report)
USING INDEX report:Report(closed_at)
WHERE report.closed_at < timestamp() - $life_ms
WITH report
LIMIT $limit
DELETE report
RETURN count(*) AS cleared
