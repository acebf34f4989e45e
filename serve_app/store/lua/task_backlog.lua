-- KEYS  counts; see parts/tasks.lua
-- ARGV  fields of the counts
-- Returns {their values; for how long (ms) the pending task that was made first has waited}.
-- include tasks
local waited = 0
local first = call('ZRANGE', key('state', 'pending'), 0, 0, 'WITHSCORES')
if first[1] then
  local due = tonumber(call('HGET', key('task', first[1]), 'wait') or 0)
  waited = math.max(0, NOW - math.max(due, math.floor(tonumber(first[2]) / 1000)))
end
return { call('HMGET', COUNTS, unpack(ARGV)), waited }
