-- charge.lua: counts amounts under several limits: all of them, or none if one would be over its
-- quota. A window begins with its first use.
-- KEYS[i]: a subject's limit (rl:); all are in one slot
-- ARGV[3i-2]: length of the window, in seconds
-- ARGV[3i-1]: quota
-- ARGV[3i]: amount
-- returns: for each limit, uses with this amount; ms to the end of the window
local counts, allowed = {}, true
for i = 1, #KEYS do
  local used = tonumber(redis.call('GET', KEYS[i]) or '0') + tonumber(ARGV[3 * i])
  local left = redis.call('PTTL', KEYS[i])
  if left < 0 then -- the key is new, or has lost its expiry
    left = ARGV[3 * i - 2] * 1000
  end
  allowed = allowed and used <= tonumber(ARGV[3 * i - 1])
  counts[2 * i - 1], counts[2 * i] = used, left
end
if allowed then
  for i = 1, #KEYS do
    redis.call('INCRBY', KEYS[i], ARGV[3 * i])
    redis.call('PEXPIRE', KEYS[i], counts[2 * i])
  end
end
return counts
