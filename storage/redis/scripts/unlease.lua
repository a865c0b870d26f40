-- unlease.lua: gives up leases.
-- KEYS[..]: leases
-- ARGV[1]:  token of the holder
-- returns:  number of leases that were given up
local given = 0
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then
    given = given + redis.call('DEL', key)
  end
end
return given
