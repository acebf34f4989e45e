-- Enters a file, once.
-- KEYS  hash of records by id, set of ids, set of the ids of its purpose, bytes of all files
-- ARGV  the id, its record, its bytes, most bytes that a tenant may have
-- Returns `full`, or the record that counts: this one, or the one that was there.
local there = redis.call('HGET', KEYS[1], ARGV[1])
if there then
  return there
end
local bytes = tonumber(redis.call('GET', KEYS[4]) or 0) + tonumber(ARGV[3])
if bytes > tonumber(ARGV[4]) then
  return 'full'
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('ZADD', KEYS[3], 0, ARGV[1])
redis.call('INCRBY', KEYS[4], ARGV[3])
return ARGV[2]
