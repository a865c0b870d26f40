-- finish.lua: ends a build: adds the graph's ids to the list that this build began.
-- KEYS[1]: build lock (tb:)
-- KEYS[2]: timeline (tl:)
-- ARGV[1]: token of this build
-- ARGV[2]: sentinel of an unfinished list
-- ARGV[3]: TTL of the list, in seconds
-- ARGV[4]: new sentinel: minus the watermark
-- ARGV[5..]: ids, ascending
-- returns: 1, or 0 if this build no longer holds the lock or its unfinished list is gone
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
for i = 4, #ARGV, 1000 do -- in parts: Lua's stack bounds unpack()
  call('RPUSH', KEYS[2], unpack(ARGV, i, math.min(i + 999, #ARGV)))
end
if pushed then -- during the build: these entries are before the sentinel now
  call('SORT', KEYS[2], 'STORE', KEYS[2])
end
call('EXPIRE', KEYS[2], ARGV[3]) -- last, because SORT … STORE removes the TTL
return 1
