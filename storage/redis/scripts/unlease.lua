-- unlease.lua: gives up a lease.
-- KEYS[1]: lease
-- ARGV[1]: token of the holder
-- returns: 1 if the holder had it, else 0
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
