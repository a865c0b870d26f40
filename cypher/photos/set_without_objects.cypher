// cypher/photos/set_without_objects.cypher: records that the objects of these photos are removed,
// and when those of others are due again.
// $photo_ids:  list of integers
// $failed_ids: list of integers, those of $photo_ids of which an object could not be removed
// $put_off_ms: integer, milliseconds
// returns:     photos
// index:       Photo(id)
UNWIND $photo_ids AS photo_id
MATCH (photo:Photo)
WHERE photo.id = photo_id
SET photo.locked = true
REMOVE photo.locked
WITH photo
WHERE photo.objects_until < timestamp()
SET photo.objects_until = CASE
  WHEN photo.id IN $failed_ids THEN timestamp() + $put_off_ms
END
RETURN count(*) AS photos
