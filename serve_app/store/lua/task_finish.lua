-- A task succeeded.
-- KEYS  counts; see parts/tasks.lua
-- ARGV  task; fence; result
-- Returns 1; 0 if the claim is void.
-- include tasks
local task = load(ARGV[1])
if not task or task.fence ~= tonumber(ARGV[2]) then
  return 0
elseif task.state ~= 'running' then
  return task.state == 'succeeded' and 1 or 0
end
local record = key('task', ARGV[1])
call('HSET', record, 'result', ARGV[3])
call('HDEL', record, 'code', 'message')
count('bytes', #ARGV[3])
finish(ARGV[1], task, 'succeeded', 0, 0)
return 1
