-- ordered.lua: inserts a late post into an existing timeline, at its place by id.
-- KEYS[1]: timeline (tl:)
-- ARGV[1]: id of the post
-- ARGV[2]: sentinel of an unfinished list
-- returns: length of the list with the post in it; 0 if the post is left out
--
-- For a list without a newer entry this takes two commands: after an outage a whole backlog of
-- posts is late. SORT … STORE would cost 40 times as much, and would remove the list's TTL.
local call = redis.call
local length = call('RPUSHX', KEYS[1], ARGV[1])
if length == 0 then
  return 0
end
local before = call('LINDEX', KEYS[1], -2)
if before == ARGV[1] then
  call('RPOP', KEYS[1])
  return 0
end
local id = tonumber(ARGV[1])
before = tonumber(before)
if before <= id and before > 0 then
  return length
end
local head = call('LINDEX', KEYS[1], 0)
if head == ARGV[2] then
  -- With an old entry the unfinished list would look complete from that entry on.
  call('DEL', KEYS[1])
  return 0
end
if id <= -tonumber(head) then -- at or below the watermark: the graph serves these posts
  call('RPOP', KEYS[1])
  return 0
end
if before <= id then
  return length
end

-- Move the post from the tail to its place. It is left out if the list has it already, or if its
-- place is before the first entry: there it would lower the watermark of a trimmed list.
local take, tail, at = 8, nil, nil
repeat -- with ever longer tails: most posts are late by a few entries
  tail = call('LRANGE', KEYS[1], -take, -1)
  at = #tail - 1
  while at > 0 and tonumber(tail[at]) > id do
    at = at - 1
  end
  take = take * 8
until at > 0 or #tail == length
if at == 0 or tail[at] == ARGV[1] then
  call('RPOP', KEYS[1])
  return 0
end
call('LTRIM', KEYS[1], 0, -(#tail - at) - 1)
call('RPUSH', KEYS[1], ARGV[1], unpack(tail, at + 1, #tail - 1))
return length
