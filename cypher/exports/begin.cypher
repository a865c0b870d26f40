// cypher/exports/begin.cypher: an export that is not finished, in state running from now on, and
// whether its user is active.
// $export_id: integer
// returns:    export, left_ms, is_active
// index:      Export(id); User(id)
MATCH (export:Export)
WHERE export.id = $export_id
SET export.locked = true
REMOVE export.locked
WITH export
WHERE export.state IN ['waiting', 'running']
SET export.state = 'running'
WITH export
OPTIONAL MATCH (user:User)
WHERE user.id = export.user_id
RETURN export {
  .id, .user_id, .path, .state, .failure_code, .created_at, .state_until, .section, .before,
  .part_sizes, .part_epochs, .missing_count
} AS export,
  export.state_until - timestamp() AS left_ms,
  coalesce(user.state, '') = 'active' AS is_active
