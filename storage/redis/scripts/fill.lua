-- fill.lua: replaces a reservation by a copy, if the reservation still exists.
-- KEYS[1]: the reserved key
-- ARGV[1]: token of the reservation
-- ARGV[2]: copy
-- ARGV[3]: TTL of the copy, in seconds
-- returns: 1, or 0 if the reservation was removed or replaced
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
