-- changes_since.lua: the newest change of one partition, and the log's entries after a number.
-- Creates a missing counter, at the server's clock in microseconds and with an empty change: see
-- announce.lua.
-- KEYS[1]: newest change (ch:), "number change-id subject"
-- KEYS[2]: log of the newest changes (cl:), in the same form
-- ARGV[1]: number of the last change that the caller has applied, or '' for the newest change alone
-- returns: newest change, then the changes after ARGV[1], oldest first. None if the log does not
--          reach back to ARGV[1].
local call = redis.call
local newest = call('GET', KEYS[1])
local number = tonumber(string.match(newest or '', '^(%d+) '))
if not number then
  local time = call('TIME')
  newest = string.format('%.0f - -', time[1] * 1000000 + time[2])
  call('SET', KEYS[1], newest)
  return {newest}
end
local behind = number - (tonumber(ARGV[1]) or number)
if behind <= 0 or behind > call('LLEN', KEYS[2]) then
  return {newest}
end
return {newest, unpack(call('LRANGE', KEYS[2], -behind, -1))}
