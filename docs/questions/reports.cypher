// How many reports of each reason are open, and for how many days has the oldest been?
MATCH (report:Report)
WHERE report.state = 'open'
RETURN report.reason AS reason, count(report) AS reports,
  count(DISTINCT report.subject_id) AS subjects,
  (timestamp() - min(report.created_at)) / 86400000 AS oldest_days
ORDER BY reports DESC, reason
