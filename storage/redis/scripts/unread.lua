-- unread.lua: the newest entries of a list with their authors, as many as are needed to count the
-- unread posts above a position. Authors are read from the bodies (p:), which are not in KEYS.
-- KEYS[1]: copy of the position (rp:)
-- KEYS[2]: timeline (tl:)
-- ARGV[1]: position, or '' to read the copy
-- ARGV[2]: T, the disorder that a list may have, as a distance between ids
-- ARGV[3]: highest count of unread posts that matters
-- ARGV[4]: viewer's id
-- ARGV[5]: TTL of the timeline, in seconds
-- returns: position ('' if there is no copy), then entry, author, entry, author …; an author is ''
--          if the post is deleted, '?' if unknown, '-' if not read
local CHUNK = 32
local position = ARGV[1]
if position == '' then
  position = redis.call('GET', KEYS[1]) or ''
end
if not string.match(position, '^%d+$') then
  return {''}
end
local above, disorder, most = tonumber(position), tonumber(ARGV[2]), tonumber(ARGV[3])
local reply, seen, unread, newest, oldest = {position}, {}, 0, 0, math.huge
redis.call('EXPIRE', KEYS[2], ARGV[5])

local function author_of(entry)
  local head = redis.call('GETRANGE', 'p:' .. entry, 0, 80)
  if head == '' then
    return redis.call('EXISTS', 'p:' .. entry) == 1 and '' or '?'
  end
  return string.match(head, '^{"id":"%d+","author":{"id":"(%d+)"') or '?'
end

local function add(entry)
  local id, author = tonumber(entry), '-'
  if id > 0 and not seen[entry] then
    seen[entry] = true
    oldest = math.min(oldest, id)
    if id > above or id > newest then
      author = author_of(entry)
      if author ~= '' and author ~= '?' then
        newest = math.max(newest, id)
        if id > above and author ~= ARGV[4] then unread = unread + 1 end
      end
    end
  elseif id > 0 then
    return
  end
  reply[#reply + 1] = entry
  reply[#reply + 1] = author
end

local last = redis.call('LLEN', KEYS[2]) - 1
while last >= 0 do
  local first = math.max(0, last - CHUNK + 1)
  local entries = redis.call('LRANGE', KEYS[2], first, last)
  for i = #entries, 1, -1 do add(entries[i]) end
  local rest = oldest + disorder
  if rest <= newest and (rest <= above or unread > most) then break end
  last = first - 1
end
return reply
