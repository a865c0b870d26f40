-- lease.lua: takes or renews leases.
-- KEYS[..]: leases
-- ARGV[1]:  token of the holder
-- ARGV[2]:  milliseconds until the leases expire
-- returns:  for each lease 1 if the holder has it now, else 0
local held = {}
for i, key in ipairs(KEYS) do
  local holder = redis.call('GET', key)
  if not holder or holder == ARGV[1] then
    redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
    held[i] = 1
  else
    held[i] = 0
  end
end
return held
