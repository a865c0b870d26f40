// cypher/sessions/set_used.cypher: notes that sessions are used now, and prolongs them.
// A session is locked before its end is read, and compared with the time after that: a session that
// is ended meanwhile stays ended. One that was used a short time ago is left alone. `expired_at` is
// when a session would have ended without this use, in Unix milliseconds.
// $session_ids: list of integers, ascending, up to 128
// $least_ms:    integer, milliseconds, the lowest time since the last use
// $idle_ms:     integer, milliseconds, for which a session may be unused
// returns:      session_id, expired_at
// index:        Session(id)
UNWIND $session_ids AS session_id
MATCH (session:Session)
USING INDEX session:Session(id)
WHERE session.id = session_id
  AND session.expires_at > timestamp()
  AND coalesce(session.last_used_at, 0) <= timestamp() - $least_ms
SET session.locked = true
REMOVE session.locked
WITH session, datetime.realtime().epochMillis AS now
WHERE session.expires_at > now
WITH session, now, session.expires_at AS expired_at,
  coalesce(session.ends_at, session.expires_at) AS ends_at
SET session.last_used_at = now, session.ends_at = ends_at,
  session.expires_at = CASE WHEN ends_at < now + $idle_ms THEN ends_at ELSE now + $idle_ms END
RETURN session.id AS session_id, expired_at
