-- wrk's script: sends the requests of a file in turn. A line of the file has method, path, token,
-- key and body, separated by tabs. Arguments: the file; the mean wait before each request in ms;
-- `once` to stop at the end of the file instead of starting it again. With `once` a 503 is no
-- failure: the connection waits for a second, as Retry-After demands, then sends the next request.
local requests, position, once, busy = {}, 0, false, false
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
    math.randomseed(position + #requests)
    delay = function() return math.random(0, math.floor(2 * pause)) end
  end
  if once then
    position = -1 -- wrk calls request() once before the start and does not send the result
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
  position = position + 1
  if position <= 0 then return requests[1] end
  if once and position > #requests then
    wrk.thread:stop()
    return requests[#requests] -- until wrk stops: a repeated key, or a repeated PUT, writes nothing
  end
  return requests[(position - 1) % #requests + 1]
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
