-- Takes a file out of the books, once.
-- KEYS  hash of records by id, set of ids, set of the ids of its purpose, bytes of all files
-- ARGV  the id, its bytes
-- Returns 1, or 0 if it was not there.
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
if redis.call('DECRBY', KEYS[4], ARGV[2]) <= 0 then
  redis.call('DEL', KEYS[4])
end
return 1
