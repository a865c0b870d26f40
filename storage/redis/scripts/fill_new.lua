-- fill_new.lua: replaces the reservation of a new post by its body, if the reservation and the
-- author's mark still exist.
-- KEYS[1]: the post's body (p:), reserved
-- KEYS[2]: its author's mark (am:)
-- ARGV[1]: token of the reservation
-- ARGV[2]: token of the mark
-- ARGV[3]: body
-- ARGV[4]: TTL of the body, in seconds
-- returns: 1, or 0 if the reservation or the mark was removed or replaced
local call = redis.call
if call('GET', KEYS[1]) ~= ARGV[1] or call('GET', KEYS[2]) ~= ARGV[2] then
  return 0
end
call('SET', KEYS[1], ARGV[3], 'EX', ARGV[4])
return 1
