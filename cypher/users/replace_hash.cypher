// cypher/users/replace_hash.cypher: stores another hash of the same password; sessions stay.
// The user is locked before the hash is read, so that a new password is never overwritten.
// $user_id:       integer
// $checked_hash:  text, argon2id, the hash that the password was verified with
// $password_hash: text, argon2id, of the same password
// returns:        nothing
// index:          User(id)
MATCH (user:User)
WHERE user.id = $user_id AND user.state = 'active'
SET user.locked = true
REMOVE user.locked
WITH user
WHERE user.password_hash = $checked_hash
SET user.password_hash = $password_hash
