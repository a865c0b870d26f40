-- fill.lua: a value in the place of a claim, if the claim still stands.
-- KEYS[1]: what was claimed
-- ARGV[1]: the claim's token
-- ARGV[2]: value
-- ARGV[3]: seconds it lives
-- returns: 1, or 0 where somebody removed or replaced the claim
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
