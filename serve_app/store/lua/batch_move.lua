-- Takes a batch from one status to another, with what is known by then.
-- KEYS  the batch, set of the ids of those that are not over
-- ARGV  its id, where it must be (statuses with commas around each), where it comes to, Unix
--       seconds, 1 if it is over then (else 0), then fields and values
-- Returns the status that it had; the change was made if that is one of those asked for.
local status = redis.call('HGET', KEYS[1], 'status')
if not status then
  redis.call('SREM', KEYS[2], ARGV[1])
  return ''
end
if not string.find(ARGV[2], ',' .. status .. ',', 1, true) then
  return status
end
redis.call('HSET', KEYS[1], 'status', ARGV[3], 'at:' .. ARGV[3], ARGV[4], unpack(ARGV, 6))
if ARGV[5] == '1' then
  redis.call('SREM', KEYS[2], ARGV[1])
end
return status
