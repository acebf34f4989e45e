-- A worker gives a task back, untried.
-- KEYS  counts; see parts/tasks.lua
-- ARGV  task; fence
-- Returns 1; 0 if the claim is void.
-- include tasks
local task = load(ARGV[1])
if not task or task.fence ~= tonumber(ARGV[2]) then
  return 0
elseif task.state ~= 'running' then
  return task.state == 'pending' and 1 or 0
end
call('HINCRBY', key('task', ARGV[1]), 'tries', -1)
call('ZREM', ROOT .. 'leases', ARGV[1])
move(ARGV[1], task, 'pending')
line_up(ARGV[1], task)
return 1
