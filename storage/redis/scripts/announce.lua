-- announce.lua: announces changes to one partition: raises its counter and appends to its log.
-- KEYS[1]: newest change (ch:), "number change-id subject"
-- KEYS[2]: log of the newest changes (cl:), in the same form
-- ARGV[1]: longest length of the log
-- ARGV[2…]: change id, subject, change id, subject …; at least one pair
-- returns: number of the newest change
--
-- A missing counter starts at the server's clock in microseconds, never at 1: that is above every
-- number that a process has applied, so the process sees that changes may be missing. Neither key
-- has a TTL, so volatile-lru does not evict it.
local call = redis.call
local number = tonumber(string.match(call('GET', KEYS[1]) or '', '^(%d+) '))
if not number then
  local time = call('TIME')
  number = time[1] * 1000000 + time[2]
end
local entries = {}
for i = 2, #ARGV, 2 do
  number = number + 1
  entries[#entries + 1] = string.format('%.0f %s %s', number, ARGV[i], ARGV[i + 1])
end
call('SET', KEYS[1], entries[#entries])
call('RPUSH', KEYS[2], unpack(entries))
call('LTRIM', KEYS[2], -ARGV[1], -1)
return string.format('%.0f', number)
