-- One replica hears which API keys changed, and says that it lives.
-- The time is this server's.
-- KEYS  stream of changes, sorted set of replicas by the time they last spoke
-- ARGV  name of the last change heard of (empty: only the newest one is wanted; where there is
--       none, one of nothing is made, so that whoever listens can tell that the stream is the same);
--       the replica; milliseconds that one counts as living; most changes to return
-- Returns the time in milliseconds, the number of living replicas, and the changes from the named
-- one on, that one included if it is still there.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lives = tonumber(ARGV[3])

redis.call('ZADD', KEYS[2], string.format('%.0f', now), ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - lives))
-- After a failover to a server whose clock is behind.
redis.call('ZREMRANGEBYSCORE', KEYS[2], string.format('%.0f', now + lives), '+inf')
redis.call('PEXPIRE', KEYS[2], lives)

local changes
if ARGV[1] == '' then
  if redis.call('EXISTS', KEYS[1]) == 0 then
    redis.call('XADD', KEYS[1], '*', 'id', '', 'record', '')
  end
  changes = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
else
  changes = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[4])
end
return {now, redis.call('ZCARD', KEYS[2]), changes}
