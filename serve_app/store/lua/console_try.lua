-- Counts a try to log in, unless there were too many lately.
-- KEYS  tries of all, tries of one address
-- ARGV  most of all, most of one address; milliseconds that a try counts for
-- Returns milliseconds to wait; 0: it may be tried, and is counted.
for i = 1, 2 do
  if tonumber(redis.call('GET', KEYS[i]) or '0') >= tonumber(ARGV[i]) then
    return math.max(1, redis.call('PTTL', KEYS[i]))
  end
end
for i = 1, 2 do
  redis.call('INCR', KEYS[i])
  if redis.call('PTTL', KEYS[i]) < 0 then
    redis.call('PEXPIRE', KEYS[i], ARGV[3])
  end
end
return 0
