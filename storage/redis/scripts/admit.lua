-- admit.lua: a session's copy and, where it is the one that the token proves, one more use of a limit
-- and, of who reads it, a timeline that lives on.
-- KEYS[1]: session copy (s:)
-- KEYS[2]: the limit of its user (rl:)
-- KEYS[3]: the timeline of its user (tl:), of who reads it
-- ARGV[1]: seconds of a window
-- ARGV[2]: seconds the timeline lives
-- ARGV[3]: what the copy begins with, if the token is right: user id and hash of the secret
-- returns: the rest of the copy, when the session ends, or false where the copy is another or missing;
--          uses so far with this one; ms to the window's end
--
-- A token that is forged must not use up the quota of the user whose id stands in it. The hash is
-- compared, not the secret: how long that takes tells nothing that would help to find one.
local call = redis.call
local copy, known = call('GET', KEYS[1]), ARGV[3]
if not copy or string.sub(copy, 1, #known) ~= known then
  return {false, 0, 0}
end
local used = call('INCR', KEYS[2])
local left = call('PTTL', KEYS[2])
if left < 0 then -- new, or without an expiry for whatever reason: it must have one
  left = ARGV[1] * 1000
  call('PEXPIRE', KEYS[2], left)
end
if KEYS[3] then
  call('EXPIRE', KEYS[3], ARGV[2])
end
return {string.sub(copy, #known + 1), used, left}
