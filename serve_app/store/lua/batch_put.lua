-- Enters a batch, once.
-- KEYS  the batch, set of ids, set of the ids of those that are not over
-- ARGV  its id, its terms, most batches that may be open, seconds that it is kept
-- Returns `ok`, or `full`.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'ok'
end
if redis.call('SCARD', KEYS[3]) >= tonumber(ARGV[3]) then
  return 'full'
end
redis.call('HSET', KEYS[1], 'terms', ARGV[2], 'status', 'validating')
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('SADD', KEYS[3], ARGV[1])
return 'ok'
