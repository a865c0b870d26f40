-- finish.lua: the ids of the graph sorted into the list that this build began, pushes included.
-- KEYS[1]: build lock (tb:)
-- KEYS[2]: timeline (tl:)
-- ARGV[1]: token of this build
-- ARGV[2]: sentinel of a list being built
-- ARGV[3]: seconds the list lives
-- ARGV[4]: new sentinel: minus the id above which the list is complete
-- ARGV[5..]: ids, rising
-- returns: 1, or 0 where the lock is another's or gone, or the list is no longer the one begun
local call = redis.call
if call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
call('DEL', KEYS[1])
if call('LINDEX', KEYS[2], 0) ~= ARGV[2] then
  return 0
end
local pushed = call('LLEN', KEYS[2]) > 1
call('LPOP', KEYS[2])
for i = 4, #ARGV, 1000 do -- in parts: unpack() is bounded by Lua's stack
  call('RPUSH', KEYS[2], unpack(ARGV, i, math.min(i + 999, #ARGV)))
end
if pushed then -- meanwhile: those stand before the sentinel now
  call('SORT', KEYS[2], 'STORE', KEYS[2])
end
call('EXPIRE', KEYS[2], ARGV[3]) -- after SORT … STORE, which drops it
return 1
