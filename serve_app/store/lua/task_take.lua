-- Gives tasks to a worker: of the most urgent priority that has some, from its tenants in turn.
-- KEYS  counts; see parts/tasks.lua
-- ARGV  worker; how many at most; lease (ms); how long dead tasks are kept (ms); how many; how many
--       overdue tasks of each kind to see to first; how many of low priority at most; a mark of
--       this asking: with the same mark the same tasks are given again, to a worker that did not
--       hear the answer
-- Returns {for each: {fence, payload, view}}.
-- include tasks

local ORDERS = {
  high = { 'high', 'normal', 'low' },
  normal = { 'normal', 'high', 'low' },
  low = { 'low', 'high', 'normal' },
}

-- Of 16 turns one is low's first and three are normal's, so that nobody waits for ever.
local function order(turn)
  if turn % 16 == 0 then
    return ORDERS.low
  elseif turn % 4 == 0 then
    return ORDERS.normal
  end
  return ORDERS.high
end

local function first_of(class, owner)
  local name = class .. ':' .. owner
  local line = key('line', name)
  local again = call('ZPOPMIN', key('again', name))[1]
  if again then
    call('XCLAIM', line, GROUP, GROUP, 0, call('HGET', key('task', again), 'entry'), 'JUSTID')
    return again
  elseif call('EXISTS', line) == 0 then
    return nil
  end
  local read = call('XREADGROUP', 'GROUP', GROUP, GROUP, 'COUNT', 1, 'STREAMS', line, '>')
  return read and read[1][2][1][2][2]
end

local function next_of(class, turn)
  local ring = key('ring', class)
  while true do
    local owner = call('ZRANGE', ring, 0, 0)[1]
    if not owner then
      return nil
    end
    local id = first_of(class, owner)
    if id then
      call('ZADD', ring, turn, owner)
      return id
    end
    call('ZREM', ring, owner)
  end
end

local function begin(id)
  local task = load(id)
  local record = key('task', id)
  move(id, task, 'running')
  raise_fence(id, task)
  call('HINCRBY', record, 'tries', 1)
  call('HDEL', record, 'wait')
  call('HSET', record, 'began', whole(NOW), 'worker', ARGV[1])
  call('ZADD', ROOT .. 'leases', whole(NOW + tonumber(ARGV[3])), id)
  if task.told > 0 then
    call('XADD', key('events', id), '*', 'restart', '')
  end
  return task.fence
end

local function hand_over(id, fence)
  return { fence, call('HGET', key('task', id), 'payload'), view(id) }
end

-- What was given when this was asked before, and is still the worker's; nil if it was not asked.
local function given_before(hand)
  local mark, claims = string.match(call('GET', hand) or '', '^(%S+)(.*)$')
  if mark ~= ARGV[8] then
    return nil
  end
  local again = {}
  for id, fence in string.gmatch(claims, '(%S+)=(%d+)') do
    local task = load(id)
    if task and task.state == 'running' and task.fence == tonumber(fence) then
      call('ZADD', ROOT .. 'leases', whole(NOW + tonumber(ARGV[3])), id)
      table.insert(again, hand_over(id, task.fence))
    end
  end
  return again
end

local hand = key('hand', ARGV[1])
local before = given_before(hand)
if before then
  return before
end
sweep(tonumber(ARGV[6]), ARGV[4], ARGV[5])
local taken, claims, room_for_low = {}, {}, tonumber(ARGV[7])
while #taken < tonumber(ARGV[2]) do
  local turn = tonumber(call('HGET', COUNTS, 'turn') or 0) + 1
  local id
  for _, class in ipairs(order(turn)) do
    if class ~= 'low' or room_for_low > 0 then
      id = next_of(class, turn)
    end
    if id then
      room_for_low = room_for_low - (class == 'low' and 1 or 0)
      break
    end
  end
  if not id then
    break
  end
  call('HSET', COUNTS, 'turn', whole(turn))
  local fence = begin(id)
  table.insert(taken, hand_over(id, fence))
  table.insert(claims, id .. '=' .. fence)
end
if #claims > 0 then
  call('SET', hand, ARGV[8] .. ' ' .. table.concat(claims, ' '), 'PX', ARGV[3])
end
return taken
