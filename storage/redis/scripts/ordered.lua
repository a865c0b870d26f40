-- ordered.lua: inserts a late post into existing timelines, at its place by id.
-- KEYS:    timelines (tl:)
-- ARGV[1]: id of the post
-- ARGV[2]: sentinel of an unfinished list
-- ARGV[3]: longest length that needs no trim
-- returns: indexes into KEYS, from 1, of the lists that are longer than that
--
-- For a list without a newer entry this takes two commands: after an outage a whole backlog of
-- posts is late. SORT … STORE would cost 40 times as much, and would remove the list's TTL.
local call = redis.call
local post, building, longest = ARGV[1], ARGV[2], tonumber(ARGV[3])
local id, too_long = tonumber(post), {}

-- Moves the post from the tail to its place. Returns the length, or 0 if the post is left out. It
-- is left out if the list has it already, or if its place is before the first entry: there it would
-- lower the watermark of a trimmed list.
local function insert(key, length)
  local take, tail, at = 8, nil, nil
  repeat -- with ever longer tails: most posts are late by a few entries
    tail = call('LRANGE', key, -take, -1)
    at = #tail - 1
    while at > 0 and tonumber(tail[at]) > id do
      at = at - 1
    end
    take = take * 8
  until at > 0 or #tail == length
  if at == 0 or tail[at] == post then
    call('RPOP', key)
    return 0
  end
  call('LTRIM', key, 0, -(#tail - at) - 1)
  call('RPUSH', key, post, unpack(tail, at + 1, #tail - 1))
  return length
end

for number, key in ipairs(KEYS) do
  local length = call('RPUSHX', key, post)
  if length > 0 then
    local before = call('LINDEX', key, -2)
    if before == post then
      call('RPOP', key)
      length = 0
    else
      before = tonumber(before)
      if before > id or before <= 0 then
        local head = call('LINDEX', key, 0)
        if head == building then
          -- With an old entry the unfinished list would look complete from that entry on.
          call('DEL', key)
          length = 0
        elseif id <= -tonumber(head) then -- at or below the watermark: the graph serves these posts
          call('RPOP', key)
          length = 0
        elseif before > id then
          length = insert(key, length)
        end
      end
    end
    if length > longest then
      too_long[#too_long + 1] = number
    end
  end
end
return too_long
