-- raise.lua: raises a number; a lower one changes nothing.
-- KEYS[1]: number
-- ARGV[1]: new number, below 2^53
-- ARGV[2]: TTL of the key, in seconds
-- returns: 1 if the number was raised, else 0
local current = tonumber(redis.call('GET', KEYS[1]) or '-1')
if tonumber(ARGV[1]) <= current then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
