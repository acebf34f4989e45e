-- KEYS  counts; see parts/tasks.lua
-- ARGV  tenant (empty: any); task
-- Returns 1; 0 if there is none.
-- include tasks
local task = find(ARGV[1], ARGV[2])
if not task then
  return 0
end
drop(ARGV[2], task)
return 1
