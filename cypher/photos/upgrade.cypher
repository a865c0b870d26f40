// cypher/photos/upgrade.cypher: gives the next photos of older versions, by id, the time at which
// they expire unless they are posted.
// The progress is saved with them. No row is returned when all are done.
// $name:        text, of the upgrade
// $limit:       integer, photos that are looked at
// $unposted_ms: integer, milliseconds until a waiting or ready photo expires
// $life_ms:     integer, milliseconds until another photo expires or is deleted
// $upload_ms:   integer, milliseconds until no upload can begin any more
// returns:      upgraded
// index:        Upgrade(name); Photo(id)
// expands:      the post and the DeletedPost of each photo
MERGE (upgrade:Upgrade {name: $name})
WITH upgrade, coalesce(upgrade.after_id, 0) AS after_id
WHERE upgrade.done_at IS NULL
CALL (after_id) {
  MATCH (photo:Photo)
  USING INDEX photo:Photo(id)
  WHERE photo.id > after_id
  WITH photo
  ORDER BY photo.id
  LIMIT $limit
  WITH photo, photo.unposted_until IS NULL
    AND NOT EXISTS { (photo)<-[:SHOWS|SHOWED]-() } AS is_old
  FOREACH (_ IN CASE WHEN is_old THEN [0] ELSE [] END |
    SET photo.unposted_until = timestamp()
        + CASE WHEN photo.state IN ['waiting', 'ready'] THEN $unposted_ms ELSE $life_ms END,
      photo.objects_until = CASE photo.state
        WHEN 'waiting' THEN timestamp() + $upload_ms
        WHEN 'expired' THEN timestamp()
      END
  )
  RETURN count(*) AS looked_at, max(photo.id) AS last_id,
    sum(CASE WHEN is_old THEN 1 ELSE 0 END) AS upgraded
}
SET upgrade.after_id = coalesce(last_id, after_id),
  upgrade.done_at = CASE WHEN looked_at < $limit THEN timestamp() END
RETURN upgraded
