// cypher/exports/by_id.cypher: one export of a user.
// $export_id: integer
// $user_id:   integer
// returns:    export, left_ms
// index:      Export(id)
MATCH (export:Export)
USING INDEX export:Export(id)
WHERE export.id = $export_id AND export.user_id = $user_id
RETURN export {
  .id, .user_id, .path, .state, .failure_code, .created_at, .state_until, .section, .before,
  .part_sizes, .part_epochs, .missing_count
} AS export,
  export.state_until - timestamp() AS left_ms
