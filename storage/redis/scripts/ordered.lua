-- ordered.lua: a late post into the timelines that exist, each at its place.
-- KEYS:    timelines (tl:)
-- ARGV[1]: id of the post
-- ARGV[2]: sentinel of a list being built
-- ARGV[3]: longest length left untrimmed
-- returns: the numbers of the lists, from 1, that are longer than that
--
-- Where nothing in a list is newer this is two commands, and no sort: a backlog after an outage is
-- late from first to last. SORT … STORE would cost 40 times as much, and the list's expiry.
local call = redis.call
local post, building, longest = ARGV[1], ARGV[2], tonumber(ARGV[3])
local id, too_long = tonumber(post), {}

-- Takes the post from the tail to its place. Returns the length, or 0 where it was left out:
-- it is there already, or its place is before the first entry, where it would lower what a
-- trimmed list is complete above.
local function insert(key, length)
  local take, tail, at = 8, nil, nil
  repeat -- most are late by a few posts: look at ever longer tails
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
          -- An old entry would make the unfinished list look complete from there on.
          call('DEL', key)
          length = 0
        elseif id <= -tonumber(head) then -- at or below the sentinel: the graph's part
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
