-- KEYS  counts; see parts/tasks.lua
-- ARGV  tenant (empty: any); 1 with results, 0 without; tasks
-- Returns for each {result or nil, view}; nil if there is none.
-- include tasks
local found = {}
for i = 3, #ARGV do
  found[i - 2] = false
  if find(ARGV[1], ARGV[i]) then
    local result = ARGV[2] == '1' and call('HGET', key('task', ARGV[i]), 'result')
    found[i - 2] = { result, view(ARGV[i]) }
  end
end
return found
