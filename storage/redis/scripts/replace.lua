-- replace.lua: replaces a value that is still the expected one.
-- KEYS[1]: value
-- ARGV[1]: expected value, empty for none
-- ARGV[2]: new value, not empty
-- ARGV[3]: TTL of the key, in seconds
-- returns: 1 if the value was replaced, else 0
local current = redis.call('GET', KEYS[1]) or ''
if current ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
