-- abort.lua: the build lock and the unfinished list away, if the lock is still this build's.
-- KEYS[1]: build lock (tb:)
-- KEYS[2]: timeline (tl:)
-- ARGV[1]: token of this build
-- returns: how many of the two were there
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1], KEYS[2])
