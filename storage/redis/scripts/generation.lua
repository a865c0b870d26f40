-- generation.lua: checks whether this database may be read; empties it if it has old data.
-- KEYS[1]: generation of this database: run_id of its server, an increasing number, and the number
--          of the layout of its keys; without the third word it is layout 1
-- ARGV[1]: highest number that the caller has seen at this address, 0 for none
-- ARGV[2]: ms after an emptying in which a low number does not empty the database again
-- ARGV[3]: layout of the caller
-- ARGV[4]: '1' to empty a database of another layout; '0' to refuse it
-- returns: number; why the database was emptied ("restarted", "older", "layout"), "" if it may be
--          read as it is, or why it is refused ("alternating", "queue", "other-layout"); number of
--          keys that were in it
--
-- Data of an earlier run (a snapshot, a failed master's data on its replica) has another run_id.
-- Data that this run holds from before its callers used another server has a lower number than they
-- saw there. A replica cannot be emptied: the script fails, and the caller does not read it.
local call = redis.call
local run_id = string.match(call('INFO', 'server'), 'run_id:(%x+)')
local seen = tonumber(ARGV[1])
local words = call('GET', KEYS[1]) or ''
local stored_run_id, stored, layout = string.match(words, '^(%x+) (%d+) ?(%d*)$')
stored = tonumber(stored) or 0
local is_other = stored_run_id == run_id and (layout == '' and '1' or layout) ~= ARGV[3]
if is_other and ARGV[4] ~= '1' then
  return {0, 'other-layout', 0} -- processes of the other layout may still write
end
if stored_run_id == run_id and stored >= seen and not is_other then
  return {stored, '', 0}
end
if call('EXISTS', 'rq:queues') == 1 then
  return {0, 'queue', 0} -- a wrong address must not delete the jobs
end
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if stored_run_id == run_id and not is_other and math.abs(now - stored) < tonumber(ARGV[2]) then
  return {stored, 'alternating', 0} -- two servers behind one address: do not empty them in turns
end
local number, keys = math.max(now, seen + 1, stored + 1), call('DBSIZE')
call('FLUSHDB', 'ASYNC')
call('SET', KEYS[1], string.format('%s %.0f %s', run_id, number, ARGV[3]))
local why = is_other and 'layout' or stored_run_id == run_id and 'older' or 'restarted'
return {number, why, keys}
