-- Progress of a task.
-- KEYS  counts; see parts/tasks.lua
-- ARGV  task; fence; about how many events are kept; events
-- Returns 1; 0 if the claim is void.
-- include tasks
local task = load(ARGV[1])
if not task or task.state ~= 'running' or task.fence ~= tonumber(ARGV[2]) then
  return 0
end
for i = 4, #ARGV do
  call('XADD', key('events', ARGV[1]), 'MAXLEN', '~', ARGV[3], '*', 'progress', ARGV[i])
end
call('HINCRBY', key('task', ARGV[1]), 'told', #ARGV - 3)
return 1
