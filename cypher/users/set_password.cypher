// cypher/users/set_password.cypher: changes a password, ends all other sessions of the user, and
// deletes their push subscriptions.
// The user is locked before the password is read, so that a request that checked an older password
// changes nothing. The new hash is accepted as the current one, so that a repeat after a lost
// answer succeeds. Ended sessions are stored for a day, and a repeat returns them again.
// $user_id:         integer
// $checked_hash:    text, argon2id, the hash that the request was checked with
// $password_hash:   text, argon2id
// $keep_session_id: integer, the session of the request, which must not have ended
// returns:          session_ids
// index:            User(id); Session(id); Session(user_id, id); PushSubscription(session_id)
MATCH (user:User)
WHERE user.id = $user_id AND user.state = 'active'
SET user.locked = true
REMOVE user.locked
WITH user
WHERE user.password_hash IN [$checked_hash, $password_hash]
MATCH (own:Session)
USING INDEX own:Session(id)
WHERE own.id = $keep_session_id
  AND own.user_id = $user_id
  AND own.expires_at > timestamp()
SET user.password_hash = $password_hash
WITH user
OPTIONAL MATCH (session:Session)
WHERE session.user_id = $user_id AND session.id <> $keep_session_id
SET session.expires_at = CASE
  WHEN session.expires_at > timestamp() THEN timestamp()
  ELSE session.expires_at
END
WITH user, session
OPTIONAL MATCH (subscription:PushSubscription)
USING INDEX subscription:PushSubscription(session_id)
WHERE subscription.session_id = session.id
SET subscription.locked = true
REMOVE subscription.locked
WITH user,
  collect(DISTINCT session.id) AS session_ids,
  collect(CASE WHEN subscription.session_id = session.id THEN subscription END) AS subscriptions
FOREACH (subscription IN subscriptions | DELETE subscription)
RETURN session_ids
