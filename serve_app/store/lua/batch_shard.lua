-- Enters what a shard of a batch came to, once: the first attempt to say so counts.
-- KEYS  the batch
-- ARGV  number of the shard, what it came to, then names of sums and what is added to each
-- Returns how many shards are done, and how many there are; nothing if there is no such batch.
local key = KEYS[1]
if redis.call('HEXISTS', key, 'plan') == 0 then
  return {}
end
if redis.call('HSETNX', key, 'shard:' .. ARGV[1], ARGV[2]) == 1 then
  redis.call('HINCRBY', key, 'done', 1)
  for i = 3, #ARGV, 2 do
    redis.call('HINCRBY', key, ARGV[i], ARGV[i + 1])
  end
end
return {tonumber(redis.call('HGET', key, 'done')), tonumber(redis.call('HGET', key, 'shards'))}
