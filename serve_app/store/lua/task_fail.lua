-- A try failed.
-- KEYS  counts; see parts/tasks.lua
-- ARGV  task; fence; code; message; `retry` or `final`; pause before the next try (ms); how long
--       dead tasks are kept (ms); how many
-- Returns the state of the task now; nil if the claim is void.
-- include tasks
local task = load(ARGV[1])
if not task or task.fence ~= tonumber(ARGV[2]) then
  return false
elseif task.state ~= 'running' then
  return task.state ~= 'succeeded' and task.state
end
local id, record = ARGV[1], key('task', ARGV[1])
call('HSET', record, 'code', ARGV[3], 'message', ARGV[4])
if ARGV[5] == 'final' then
  finish(id, task, 'failed', 0, 0)
elseif task.tries > tonumber(task.max) then
  finish(id, task, 'dead', ARGV[7], ARGV[8])
else
  -- Its entry stays in the line, pending: the next try comes before what never had one.
  local due = whole(NOW + tonumber(ARGV[6]))
  call('HSET', record, 'wait', due)
  call('ZREM', ROOT .. 'leases', id)
  call('ZADD', ROOT .. 'due', due, id)
  move(id, task, 'delayed')
end
return task.state
