-- Ask for the right to sum a conversation up, or keep the summary that was made.
-- KEYS[1]  list of turns
-- KEYS[2]  hash: `sum` the summary, `upto` the turn it ends before, `claim` who is at it, `until`
--          when (Unix seconds)
-- ARGV     the turn it is to end before; who asks; the summary, or nothing to ask; for how many
--          seconds nobody else is to begin
-- Returns 1, or 0: somebody else is at it, a message was deleted meanwhile, or it is not needed.
local known = redis.call('HMGET', KEYS[2], 'v', 'upto', 'claim', 'until')
local version, upto = tonumber(known[1] or 0), tonumber(ARGV[1])
if upto > version or upto <= tonumber(known[2] or 0) then return 0 end
if ARGV[3] ~= '' then
  if known[3] ~= ARGV[2] then return 0 end
  redis.call('HSET', KEYS[2], 'upto', upto, 'sum', ARGV[3])
  redis.call('HDEL', KEYS[2], 'claim', 'until')
  return 1
end
local now = tonumber(redis.call('TIME')[1])
if known[3] and tonumber(known[4] or 0) > now then return 0 end
redis.call('HSET', KEYS[2], 'claim', ARGV[2], 'until', now + tonumber(ARGV[4]))
return 1
