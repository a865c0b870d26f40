-- settle.lua: adds uses that a process has counted itself to a limit. A window begins with its first
-- use.
-- KEYS[1]: a subject's limit (rl:)
-- ARGV[1]: length of the window, in seconds
-- ARGV[2]: uses to add
-- returns: uses so far by all processes; ms to the end of the window
local used = redis.call('INCRBY', KEYS[1], ARGV[2])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then -- the key is new, or has lost its expiry
  left = ARGV[1] * 1000
  redis.call('PEXPIRE', KEYS[1], left)
end
return {used, left}
