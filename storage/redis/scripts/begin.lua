-- begin.lua: a list of the sentinel of a list being built, and the build lock with it.
-- KEYS[1]: build lock (tb:)
-- KEYS[2]: timeline (tl:)
-- ARGV[1]: random token of this build
-- ARGV[2]: sentinel of a list being built
-- ARGV[3]: seconds the lock is held
-- ARGV[4]: seconds the unfinished list lives: a killed build leaves nothing for ever
-- returns: 1, or 0 where a whole list stands or another build holds the lock
local call = redis.call
local head = call('LINDEX', KEYS[2], 0)
if head and head ~= ARGV[2] then
  return 0
end
if not call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[3]) then
  return 0
end
-- What a killed build left is put away: only pushes from now on may be relied on.
call('DEL', KEYS[2])
call('RPUSH', KEYS[2], ARGV[2])
call('EXPIRE', KEYS[2], ARGV[4])
return 1
