-- Ends a task that has not ended; the claim of its worker is void from now on.
-- KEYS  counts; see parts/tasks.lua
-- ARGV  tenant (empty: any); task
-- Returns its view; nil if there is none.
-- include tasks
local task = find(ARGV[1], ARGV[2])
if not task then
  return false
end
if waits(task.state) or task.state == 'running' then
  raise_fence(ARGV[2], task)
  finish(ARGV[2], task, 'cancelled', 0, 0)
end
return view(ARGV[2])
