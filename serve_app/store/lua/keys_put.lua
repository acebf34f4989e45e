-- Stores records of API keys and tells every replica, all of them or none.
-- KEYS  hash of records by id (`version:record`), stream of changes
-- ARGV  most records there may be; most changes the stream keeps; then for each: the id, the
--       version it follows on (0: there is none yet), what is stored from now on (empty: nothing)
-- Returns `ok`; `changed` if a record is not of that version; `full` if there are too many.
local new = 0
for i = 3, #ARGV, 3 do
  local stored = redis.call('HGET', KEYS[1], ARGV[i])
  local version = stored and string.match(stored, '^(%d+):') or '0'
  if version ~= ARGV[i + 1] then
    return 'changed'
  end
  if not stored then
    new = new + 1
  end
end
if new > 0 and redis.call('HLEN', KEYS[1]) + new > tonumber(ARGV[1]) then
  return 'full'
end
for i = 3, #ARGV, 3 do
  if ARGV[i + 2] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  end
  redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[2], '*', 'id', ARGV[i], 'record', ARGV[i + 2])
end
return 'ok'
