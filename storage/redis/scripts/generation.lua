-- generation.lua: whether this database may be read; one that is older than its server is emptied.
-- KEYS[1]: generation of this database: run_id of its server, and a number that rises
-- ARGV[1]: newest number that the caller has met at this address, 0 for none
-- ARGV[2]: ms for which a database that was emptied is not emptied again for its number
-- returns: number; why it was emptied: "", "restarted", "older", or, where it was not and may not be
--          read: "alternating", "queue"; how many keys were in it
--
-- What another run of a server has left (a snapshot, a failed master's data on its replica) has
-- another run_id. What this run has from before its callers went elsewhere has a lower number than
-- they have met there. A replica refuses to be emptied, and so is not read.
local call = redis.call
local run_id = string.match(call('INFO', 'server'), 'run_id:(%x+)')
local met = tonumber(ARGV[1])
local kept_run_id, kept = string.match(call('GET', KEYS[1]) or '', '^(%x+) (%d+)$')
kept = tonumber(kept) or 0
if kept_run_id == run_id and kept >= met then
  return {kept, '', 0}
end
if call('EXISTS', 'rq:queues') == 1 then
  return {0, 'queue', 0} -- a wrong address must not cost the jobs
end
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if kept_run_id == run_id and math.abs(now - kept) < tonumber(ARGV[2]) then
  return {kept, 'alternating', 0} -- two servers behind one address: not emptied at every turn
end
local number, keys = math.max(now, met + 1), call('DBSIZE')
call('FLUSHDB', 'ASYNC')
call('SET', KEYS[1], string.format('%s %.0f', run_id, number))
return {number, kept_run_id == run_id and 'older' or 'restarted', keys}
