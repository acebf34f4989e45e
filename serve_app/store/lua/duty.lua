-- Take a duty that one replica of all has, or keep it.
-- KEYS  the duty
-- ARGV  the replica; milliseconds until somebody else may take it
-- Returns 1: it is this replica's.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
