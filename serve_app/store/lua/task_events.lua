-- What happened to a task after some event.
-- KEYS  counts; see parts/tasks.lua
-- ARGV  tenant (empty: any); task; the event (`MS-NUMBER`; empty: from the first); how many at most
-- Returns {for each: {id, kind, data}}; nil if there is no such task.
-- include tasks
local task = find(ARGV[1], ARGV[2])
if not task then
  return false
end
local events, found = key('events', ARGV[2]), {}
local after = ARGV[3] == '' and '-' or '(' .. ARGV[3]
local entries = call('XRANGE', events, after, '+', 'COUNT', ARGV[4])
for i, entry in ipairs(entries) do
  found[i] = { entry[1], entry[2][1], entry[2][2] }
end
if task.gone and #entries < tonumber(ARGV[4]) then
  -- The end is no entry, so that most tasks need no stream. Its id comes after all of them.
  local last = call('XREVRANGE', events, '+', '-', 'COUNT', 1)[1]
  local told = last and tonumber(string.match(last[1], '^%d+')) or 0
  local ended = math.max(tonumber(call('HGET', key('task', ARGV[2]), 'ended')), told) + 1
  if tonumber(string.match(ARGV[3], '^%d+') or 0) < ended then
    table.insert(found, { whole(ended) .. '-0', 'end', task.state })
  end
end
return found
