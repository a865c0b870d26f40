-- fill_new.lua: the body of a post just made in the place of its claim, if the claim and its author's
-- mark both still stand.
-- KEYS[1]: the post's claim (p:)
-- KEYS[2]: its author's mark (am:)
-- ARGV[1]: the claim's token
-- ARGV[2]: the mark's token
-- ARGV[3]: body
-- ARGV[4]: seconds it lives
-- returns: 1, or 0 where somebody removed or replaced one of the two
local call = redis.call
if call('GET', KEYS[1]) ~= ARGV[1] or call('GET', KEYS[2]) ~= ARGV[2] then
  return 0
end
call('SET', KEYS[1], ARGV[3], 'EX', ARGV[4])
return 1
