-- Starts leases anew.
-- KEYS  counts; see parts/tasks.lua
-- ARGV  lease (ms); then for each claim its task and its fence
-- Returns the tasks whose claim is void.
-- include tasks
local lost = {}
for i = 2, #ARGV, 2 do
  local task = load(ARGV[i])
  if task and task.state == 'running' and task.fence == tonumber(ARGV[i + 1]) then
    call('ZADD', ROOT .. 'leases', whole(NOW + tonumber(ARGV[1])), ARGV[i])
  else
    table.insert(lost, ARGV[i])
  end
end
return lost
