-- A task that failed, as if it were new.
-- KEYS  counts; see parts/tasks.lua
-- ARGV  tenant (empty: any); task
-- Returns {view}; a state that does not allow it; nil if there is no such task.
-- include tasks
local task = find(ARGV[1], ARGV[2])
if not task then
  return false
elseif task.state ~= 'dead' and task.state ~= 'failed' then
  return task.state
end
call('HDEL', key('task', ARGV[2]), 'tries', 'code', 'message', 'ended', 'gone', 'told', 'began')
call('DEL', key('events', ARGV[2]))
call('ZREM', ROOT .. 'expiring', ARGV[2])
move(ARGV[2], task, 'pending')
line_up(ARGV[2], task)
return { view(ARGV[2]) }
