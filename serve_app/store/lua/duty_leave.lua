-- Give a duty back.
-- KEYS  the duty
-- ARGV  the replica
-- Returns 1: it was this replica's.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
