-- The upstream of every benchmark: OpenAI-shaped, as fast as nginx, in nginx's Lua module.
-- Its behaviour comes from the model's name, which every gateway forwards. Parts in any order:
--   mock[-drop][-d<ms>][-n<chunks>][-g<ms>]
--   d: delay before the answer, n: chunks of a stream, g: gap between chunks,
--   drop: the connection is cut after half of the chunks.
local M = {}
local find, match, format = string.find, string.match, string.format
local counters = ngx.shared.counters

local TEXT = string.rep("Hello from the mock upstream. ", 4)
local WHOLE = '{"id":"chatcmpl-mock","object":"chat.completion","created":1700000000,"model":"%s",' ..
  '"choices":[{"index":0,"message":{"role":"assistant","content":"' .. TEXT ..
  '"},"finish_reason":"stop"}],' ..
  '"usage":{"prompt_tokens":20,"completion_tokens":32,"total_tokens":52}}'
local EVENT = 'data: {"id":"chatcmpl-mock","object":"chat.completion.chunk",' ..
  '"created":1700000000,"model":"%s",%s}\n\n'
local CHOICE = '"choices":[{"index":0,"delta":%s,"finish_reason":%s}]'

local function event(model, delta, finish)
  return format(EVENT, model, format(CHOICE, delta, finish))
end

local plans, planned = {}, 0
local function plan(model)
  local p = plans[model]
  if p then return p end
  local n = tonumber(match(model, "%-n(%d+)")) or 100
  p = {
    chunks = n,
    delay_s = (tonumber(match(model, "%-d(%d+)")) or 0) / 1000,
    gap_s = (tonumber(match(model, "%-g(%d+)")) or 0) / 1000,
    drop = find(model .. "-", "-drop-", 1, true),
    whole = format(WHOLE, model),
    first = event(model, '{"role":"assistant","content":"tok "}', "null"),
    chunk = event(model, '{"content":"tok "}', "null"),
    stop = event(model, "{}", '"stop"'),
    usage = format(EVENT, model, format(
      '"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":%d,"total_tokens":%d}',
      n, n + 20)),
  }
  if planned < 1000 then plans[model] = p; planned = planned + 1 end
  return p
end

local function send(text)
  ngx.print(text)
  ngx.flush(true)
end

local function stream(p)
  ngx.on_abort(function() counters:incr("aborted", 1, 0); ngx.exit(499) end)
  ngx.header["Content-Type"] = "text/event-stream"
  ngx.header["Cache-Control"] = "no-cache"
  counters:incr("streams", 1, 0)
  local last = p.drop and math.floor(p.chunks / 2) or p.chunks
  for i = 1, last do
    send(i == 1 and p.first or p.chunk)
    counters:incr("chunks", 1, 0)
    if p.gap_s > 0 then ngx.sleep(p.gap_s) end
  end
  if p.drop then return ngx.exit(ngx.ERROR) end
  ngx.print(p.stop, p.usage)
  send("data: [DONE]\n\n")
  counters:incr("streams_done", 1, 0)
end

function M.chat()
  ngx.req.read_body()
  local body = ngx.req.get_body_data() or ""
  local p = plan(match(body, '"model"%s*:%s*"([^"]+)"') or "mock")
  counters:incr("requests", 1, 0)
  if p.delay_s > 0 then ngx.sleep(p.delay_s) end
  if find(body, '"stream"%s*:%s*true') then return stream(p) end
  ngx.header["Content-Type"] = "application/json"
  ngx.header["Content-Length"] = #p.whole
  ngx.print(p.whole)
end

function M.stats()
  local parts = {}
  for _, name in ipairs { "requests", "streams", "streams_done", "chunks", "aborted" } do
    parts[#parts + 1] = format('"%s":%d', name, counters:get(name) or 0)
  end
  if ngx.var.arg_reset then counters:flush_all() end
  ngx.header["Content-Type"] = "application/json"
  ngx.print("{" .. table.concat(parts, ",") .. "}")
end

return M
