-- wrk script: POST over keep-alive. Args after "--": BODY_FILE [HEADER=VALUE ...]
-- "@N@" in the body becomes a counter of fixed width, so that no two bodies are the same.
-- Prints one line "JSON {...}" at the end.
local head, tail, made = nil, nil, 0
local seed

function init(args)
  local file = assert(io.open(args[1]))
  local body = file:read("*a")
  file:close()
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  for i = 2, #args do
    local name, value = args[i]:match("^([^=]+)=(.*)$")
    wrk.headers[name] = value
  end
  -- /dev/urandom and not the clock: two runs may start within one second
  local random = assert(io.open("/dev/urandom", "rb"))
  seed = random:read(6):gsub(".", function(c) return string.format("%02x", c:byte()) end)
  random:close()
  local before, after = body:match("^(.-)@N@(.*)$")
  if not before then
    wrk.body = body
    return
  end
  local mark = seed .. string.rep("0", 12)
  -- The whole request is made once: wrk.format for each would be the larger part of wrk's work.
  local whole = wrk.format(nil, nil, nil, before .. mark .. after)
  local from, to = whole:find(mark, 1, true)
  head, tail = whole:sub(1, from - 1) .. seed, whole:sub(to + 1)
  request = function()
    made = made + 1
    return head .. string.format("%012d", made) .. tail
  end
end

function done(summary, latency, _)
  local errors = summary.errors
  local seconds = summary.duration / 1e6
  io.write(string.format(
    'JSON {"requests":%d,"seconds":%.4f,"rps":%.2f,"p50_ms":%.3f,"p99_ms":%.3f,' ..
    '"non2xx":%d,"socket_errors":%d,"timeouts":%d}\n',
    summary.requests, seconds, summary.requests / seconds,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
