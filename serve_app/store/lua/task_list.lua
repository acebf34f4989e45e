-- Tasks, newest first.
-- KEYS  counts; see parts/tasks.lua
-- ARGV  tenant (empty: any); state (empty: any); born before (us; empty: from the newest); how many
--       at most; how many to look at, at most
-- Returns {where the next page begins (empty: there is none), for each: its view}.
-- include tasks
local owner, state, limit = ARGV[1], ARGV[2], tonumber(ARGV[4])
local STATES = { 'pending', 'delayed', 'running', 'succeeded', 'failed', 'cancelled', 'dead' }

-- The sorted sets to walk, and whether they have tasks that are not meant.
local function sources()
  local of, by_state = key('of', owner), key('state', state)
  if owner ~= '' and state ~= '' then
    return { call('ZCARD', of) < call('ZCARD', by_state) and of or by_state }, true
  elseif owner ~= '' then
    return { of }, false
  elseif state ~= '' then
    return { by_state }, false
  end
  local all = {}
  for i, name in ipairs(STATES) do
    all[i] = key('state', name)
  end
  return all, false
end

local function meant(task)
  return not is_gone(task) and (owner == '' or task.owner == owner)
    and (state == '' or task.state == state)
end

local sets, mixed = sources()
local window = mixed and tonumber(ARGV[5]) or limit
local from = ARGV[3] == '' and '+inf' or '(' .. ARGV[3]
local found, more = {}, false
for _, set in ipairs(sets) do
  local part = call('ZREVRANGEBYSCORE', set, from, '-inf', 'WITHSCORES', 'LIMIT', 0, window)
  for i = 1, #part, 2 do
    table.insert(found, { part[i], tonumber(part[i + 1]) })
  end
  more = more or #part == 2 * window
end
table.sort(found, function(a, b) return a[2] > b[2] end)

local page, seen = { '' }, 0
for i, task in ipairs(found) do
  if #page > limit or i > window then
    break
  end
  seen = i
  if meant(load(task[1])) then
    table.insert(page, view(task[1]))
  end
end
if seen > 0 and (more or seen < #found) then
  page[1] = whole(found[seen][2])
end
return page
