-- below.lua: the entries of a list around the place of a cursor, with bodies, from the tail on.
-- KEYS[1]: timeline (tl:)
-- ARGV[1]: id that the cursor names
-- ARGV[2]: entries wanted on the tail's side of it
-- ARGV[3]: entries wanted in all
-- returns: 1 where they begin with the tail, else 0; entry, body, entry, body …; where the id is not in
--          the list, its first entry alone, or nothing of no list
local call = redis.call
local at = call('LPOS', KEYS[1], ARGV[1], 'RANK', -1)
if not at then
  return call('LRANGE', KEYS[1], 0, 0)
end
local first = math.max(0, call('LLEN', KEYS[1]) - 1 - at - ARGV[2])
return {
  first == 0 and 1 or 0,
  call('SORT_RO', KEYS[1], 'BY', 'nosort', 'LIMIT', first, ARGV[3], 'DESC', 'GET', '#', 'GET', 'p:*'),
}
