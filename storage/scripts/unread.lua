-- What a list says of the posts above a position, read from its tail until no more can matter.
-- KEYS: the position's copy, the list. ARGV: a position or "" to read the copy, T, the most to
-- count, the viewer's id. Returns: position ("" is not known), then entry and author by turns; an
-- author "" is deleted, "?" is unknown, "-" was not looked for. Reads bodies, p:, it does not declare.
local CHUNK = 32
local position = ARGV[1]
if position == '' then
  position = redis.call('GET', KEYS[1]) or ''
end
if not string.match(position, '^%d+$') then
  return {''}
end
local above, disorder, most = tonumber(position), tonumber(ARGV[2]), tonumber(ARGV[3])
local found, seen, unread, newest, oldest = {position}, {}, 0, 0, math.huge

local function author_of(entry)
  local head = redis.call('GETRANGE', 'p:' .. entry, 0, 80)
  if head == '' then
    return redis.call('EXISTS', 'p:' .. entry) == 1 and '' or '?'
  end
  return string.match(head, '^{"id":"%d+","author":{"id":"(%d+)"') or '?'
end

local function take(entry)
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
  found[#found + 1] = entry
  found[#found + 1] = author
end

local last = redis.call('LLEN', KEYS[2]) - 1
while last >= 0 do
  local first = math.max(0, last - CHUNK + 1)
  local entries = redis.call('LRANGE', KEYS[2], first, last)
  for i = #entries, 1, -1 do take(entries[i]) end
  local rest = oldest + disorder
  if rest <= newest and (rest <= above or unread > most) then break end
  last = first - 1
end
return found
