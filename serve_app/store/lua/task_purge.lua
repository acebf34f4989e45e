-- Forgets tasks of a state, oldest first.
-- KEYS  counts; see parts/tasks.lua
-- ARGV  state; tenant (empty: any); made after (us); that ended, or were made, at least so long ago
--       (ms); how many to look at
-- Returns {how many were forgotten, where to go on (empty: done)}.
-- include tasks
local limit, before = tonumber(ARGV[5]), NOW - tonumber(ARGV[4])
local from = '(' .. ARGV[3]
local part = call('ZRANGEBYSCORE', key('state', ARGV[1]), from, '+inf', 'WITHSCORES', 'LIMIT', 0,
  limit)
local dropped = 0
for i = 1, #part, 2 do
  local task = load(part[i])
  local ended = call('HGET', key('task', part[i]), 'ended')
  local since = tonumber(ended) or math.floor(tonumber(task.born) / 1000)
  if since <= before and (ARGV[2] == '' or ARGV[2] == task.owner) then
    drop(part[i], task)
    dropped = dropped + 1
  end
end
return { dropped, #part == 2 * limit and whole(tonumber(part[#part])) or '' }
