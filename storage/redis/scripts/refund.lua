-- refund.lua: takes back amounts that were counted under several limits, unless the window has ended.
-- KEYS[i]: a subject's limit (rl:); all are in one slot
-- ARGV[i]: amount
-- returns: nothing
for i = 1, #KEYS do
  local used = tonumber(redis.call('GET', KEYS[i]) or '0')
  if used > 0 then
    redis.call('DECRBY', KEYS[i], math.min(used, tonumber(ARGV[i])))
  end
end
