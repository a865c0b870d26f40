-- What wrk sends: the requests of a file in turn, each line METHOD, path, token, key and body,
-- parted by tabs. Arguments: the file; milliseconds to wait before each request, on average;
-- `once` to stop at the end of the file instead of beginning again. Then a 503 is no failure: who
-- gets one waits for a second before asking for something else, as Retry-After says.
local requests, at, once, busy = {}, 0, false, false
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local pause = tonumber(args[2] or "0")
  once = args[3] == "once"
  for line in io.lines(args[1]) do
    local method, path, token, key, body =
      line:match("^(%S+)\t(%S+)\t([^\t]*)\t([^\t]*)\t(.*)$")
    local headers = {}
    if token ~= "" then headers["Authorization"] = "Bearer " .. token end
    if key ~= "" then headers["Idempotency-Key"] = key end
    if body ~= "" then headers["Content-Type"] = "application/json" else body = nil end
    requests[#requests + 1] = wrk.format(method, path, headers, body)
  end
  if pause > 0 then
    math.randomseed(at + #requests)
    delay = function() return math.random(0, math.floor(2 * pause)) end
  end
  if once then
    at = -1 -- wrk asks for one request before it begins, and does not send it
    overloaded = 0
    response = function(status)
      busy = status == 503
      if busy then overloaded = overloaded + 1 end
    end
    delay = function()
      if not busy then return 0 end
      busy = false
      return 1000
    end
  end
end

function request()
  at = at + 1
  if at <= 0 then return requests[1] end
  if once and at > #requests then
    wrk.thread:stop()
    return requests[#requests] -- the same again: a repeated key, or a repeated PUT
  end
  return requests[(at - 1) % #requests + 1]
end

function done(summary, latency)
  local errors = summary.errors
  local refused = 0
  for _, thread in ipairs(threads) do refused = refused + (thread:get("overloaded") or 0) end
  io.write(string.format(
    'RESULT {"requests": %d, "microseconds": %d, "bytes": %d, "status": %d, ' ..
    '"overloaded": %d, "lost": %d, ' ..
    '"p50": %.1f, "p99": %.1f}\n',
    summary.requests, summary.duration, summary.bytes, errors.status, refused,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
