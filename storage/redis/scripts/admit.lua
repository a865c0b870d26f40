-- admit.lua: checks a token against its session's copy. If it is right, counts one use of a limit.
-- KEYS[1]: session copy (s:)
-- KEYS[2]: the user's limit (rl:)
-- ARGV[1]: length of the limit's window, in seconds
-- ARGV[2]: prefix of the copy that a right token implies: user id and hash of the secret
-- returns: end of the session (the rest of the copy), or false if the copy is missing or has
--          another prefix; uses so far with this one; ms to the end of the window
--
-- A forged token must not use up the quota of the user whose id it names. The prefix has the hash
-- of the secret, not the secret, so the duration of the comparison does not help to guess it.
local call = redis.call
local copy, prefix = call('GET', KEYS[1]), ARGV[2]
if not copy or string.sub(copy, 1, #prefix) ~= prefix then
  return {false, 0, 0}
end
local used = call('INCR', KEYS[2])
local left = call('PTTL', KEYS[2])
if left < 0 then -- the key is new, or has lost its expiry
  left = ARGV[1] * 1000
  call('PEXPIRE', KEYS[2], left)
end
return {string.sub(copy, #prefix + 1), used, left}
