// cypher/photos/expire.cypher: ends the states of unposted photos whose time is over, longest over
// first.
// Waiting, processing and ready photos become expired, and their objects are due to be removed.
// Failed, expired and deleted photos are deleted, or put off while they can have objects. A photo
// that a process of an older version posted loses its time. Each photo is locked before it is read,
// so it is posted or expires, never both.
// $limit:      integer
// $life_ms:    integer, milliseconds until an expired photo is deleted
// $put_off_ms: integer, milliseconds
// returns:     cleared
// index:       Photo(unposted_until)
// expands:     the post and the DeletedPost of each photo
MATCH (photo:Photo)
USING INDEX photo:Photo(unposted_until)
WHERE photo.unposted_until < timestamp()
WITH photo
ORDER BY photo.unposted_until
LIMIT $limit
SET photo.locked = true
REMOVE photo.locked
WITH photo, EXISTS { (photo)<-[:SHOWS|SHOWED]-() } AS is_posted
WITH photo, CASE
    WHEN photo.unposted_until >= timestamp() OR photo.unposted_until IS NULL THEN 'changed'
    WHEN is_posted THEN 'posted'
    WHEN photo.state IN ['waiting', 'processing', 'ready'] THEN 'expired'
    WHEN photo.objects_until IS NOT NULL THEN 'put off'
    ELSE 'deleted'
  END AS outcome
FOREACH (_ IN CASE outcome WHEN 'posted' THEN [0] ELSE [] END |
  REMOVE photo.unposted_until
)
FOREACH (_ IN CASE outcome WHEN 'expired' THEN [0] ELSE [] END |
  SET photo.state = 'expired', photo.unposted_until = timestamp() + $life_ms,
    photo.objects_until = coalesce(photo.objects_until, timestamp())
)
FOREACH (_ IN CASE outcome WHEN 'put off' THEN [0] ELSE [] END |
  SET photo.unposted_until = timestamp() + $put_off_ms
)
FOREACH (_ IN CASE outcome WHEN 'deleted' THEN [0] ELSE [] END |
  DETACH DELETE photo
)
RETURN count(*) AS cleared
