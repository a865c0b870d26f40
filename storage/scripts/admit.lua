-- admit.lua: a session's copy and, where it is the one that the token proves, one more use of a limit.
-- KEYS[1]: session copy (s:)
-- KEYS[2]: the limit of its user (rl:)
-- ARGV[1]: what the copy begins with, if the token is right: user id and hash of the secret
-- ARGV[2]: seconds of a window
-- returns: the copy, or false where it is another or there is none; uses so far with this one; ms to
--          the window's end
--
-- A token that is forged must not use up the quota of the user whose id stands in it.
local copy = redis.call('GET', KEYS[1])
if not copy or string.sub(copy, 1, #ARGV[1]) ~= ARGV[1] then
  return {false, 0, 0}
end
local used = redis.call('INCR', KEYS[2])
local left = redis.call('PTTL', KEYS[2])
if left < 0 then -- new, or without an expiry for whatever reason: it must have one
  left = ARGV[2] * 1000
  redis.call('PEXPIRE', KEYS[2], left)
end
return {copy, used, left}
