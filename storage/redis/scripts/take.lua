-- take.lua: one more use of a limit; a window begins with its first use.
-- KEYS[1]: the limit of one subject (rl:)
-- ARGV[1]: seconds of a window
-- returns: uses so far with this one; ms to the window's end
local used = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then -- new, or without an expiry for whatever reason: it must have one
  left = ARGV[1] * 1000
  redis.call('PEXPIRE', KEYS[1], left)
end
return {used, left}
