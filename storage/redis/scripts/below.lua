-- below.lua: the entries of a list around a cursor's entry.
-- KEYS[1]: timeline (tl:)
-- ARGV[1]: id that the cursor names
-- ARGV[2]: number of entries wanted that are newer than the cursor's
-- ARGV[3]: number of entries wanted in all
-- returns: 1 if the entries begin with the list's tail, else 0; the entries, oldest first.
--          If the id is not in the list: the list's first entry alone; nothing without a list.
local call = redis.call
local at = call('LPOS', KEYS[1], ARGV[1], 'RANK', -1)
if not at then
  return call('LRANGE', KEYS[1], 0, 0)
end
local first = math.max(0, call('LLEN', KEYS[1]) - 1 - at - ARGV[2]) -- counted from the tail
return {first == 0 and 1 or 0, call('LRANGE', KEYS[1], -first - ARGV[3], -first - 1)}
