// cypher/photos/unposted_ids.cypher: photos of an owner that no post shows and none has shown. Deleted
// ones are left out.
// $owner_id: integer
// $limit:    integer
// returns:   photo_ids
// index:     Photo(owner_id, id)
// expands:   the post and the DeletedPost of each photo
MATCH (photo:Photo)
USING INDEX photo:Photo(owner_id, id)
WHERE photo.owner_id = $owner_id AND photo.id IS NOT NULL
  AND photo.state <> 'deleted'
  AND NOT EXISTS { (photo)<-[:SHOWS|SHOWED]-() }
WITH photo
LIMIT $limit
RETURN collect(photo.id) AS photo_ids
