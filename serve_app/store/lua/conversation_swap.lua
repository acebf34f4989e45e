-- Put another turn in the place of one, if nobody else did.
-- KEYS[1]  list of turns, oldest first
-- KEYS[2]  hash: what is known of the conversation
-- ARGV     the turn's number; as it was; as it shall be; its instructions, packed, or nothing; by
--          how many tokens it is longer
-- Returns 1, or 0 if it is not there as it was. A summary that may tell of it is deleted, and
-- whoever is making one makes it in vain.
local kept = redis.call('LLEN', KEYS[1])
local version = tonumber(redis.call('HGET', KEYS[2], 'v') or kept)
local number = tonumber(ARGV[1])
local index = number - (version - kept)
if index < 0 or redis.call('LINDEX', KEYS[1], index) ~= ARGV[2] then return 0 end
redis.call('LSET', KEYS[1], index, ARGV[3])
redis.call('HSETNX', KEYS[2], 'v', version)
redis.call('HINCRBY', KEYS[2], 'b', #ARGV[3] - #ARGV[2])
redis.call('HINCRBY', KEYS[2], 't', ARGV[5])
if ARGV[4] == '' then
  redis.call('HDEL', KEYS[2], 'pin:' .. number)
else
  redis.call('HSET', KEYS[2], 'pin:' .. number, ARGV[4])
end
redis.call('HDEL', KEYS[2], 'claim', 'until')
if tonumber(redis.call('HGET', KEYS[2], 'upto') or 0) > number then
  redis.call('HDEL', KEYS[2], 'upto', 'sum')
end
-- The hash may be new here (turns of an older version have none): it lives as long as they do.
redis.call('EXPIRE', KEYS[2], math.max(1, redis.call('TTL', KEYS[1])))
return 1
