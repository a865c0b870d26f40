// cypher/exports/of_user.cypher: a user's newest exports, newest first,
// without the lists of their parts, which can be long.
// $user_id: integer
// $limit:   integer
// returns:  export, left_ms
// index:    Export(user_id, id)
MATCH (export:Export)
USING INDEX export:Export(user_id, id)
WHERE export.user_id = $user_id AND export.id IS NOT NULL
WITH export
ORDER BY export.user_id DESC, export.id DESC
LIMIT $limit
RETURN export {
  .id, .user_id, .path, .state, .failure_code, .created_at, .state_until, .section, .before,
  .missing_count, part_sizes: [], part_epochs: [], part_count: size(export.part_sizes),
  size_bytes: reduce(total = 0, size IN export.part_sizes | total + size)
} AS export,
  export.state_until - timestamp() AS left_ms
