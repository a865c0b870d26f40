-- begin.lua: starts a build: takes the build lock and creates a list of the sentinel alone.
-- KEYS[1]: build lock (tb:)
-- KEYS[2]: timeline (tl:)
-- ARGV[1]: random token of this build
-- ARGV[2]: sentinel of an unfinished list
-- ARGV[3]: TTL of the lock, in seconds
-- ARGV[4]: TTL of the unfinished list, in seconds: the list of a killed build must expire
-- returns: 1, or 0 if a finished list exists or another build holds the lock
local call = redis.call
local head = call('LINDEX', KEYS[2], 0)
if head and head ~= ARGV[2] then
  return 0
end
if not call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[3]) then
  return 0
end
-- A killed build may have left a list. Only pushes from now on are complete.
call('DEL', KEYS[2])
call('RPUSH', KEYS[2], ARGV[2])
call('EXPIRE', KEYS[2], ARGV[4])
return 1
