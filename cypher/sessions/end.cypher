// cypher/sessions/end.cypher: ends a session of a user.
// The ended session is stored for a day, so that a repeat succeeds.
// $session_id: integer
// $user_id:    integer
// returns:     session_id
// index:       Session(id)
MATCH (session:Session)
USING INDEX session:Session(id)
WHERE session.id = $session_id AND session.user_id = $user_id
SET session.expires_at = CASE
  WHEN session.expires_at > timestamp() THEN timestamp()
  ELSE session.expires_at
END
RETURN session.id AS session_id
