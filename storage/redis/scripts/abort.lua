-- abort.lua: deletes the build lock and the unfinished list, if this build still holds the lock.
-- KEYS[1]: build lock (tb:)
-- KEYS[2]: timeline (tl:)
-- ARGV[1]: token of this build
-- returns: how many of the two keys existed; 0 if another build holds the lock
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1], KEYS[2])
