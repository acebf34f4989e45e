-- Look for a stored answer; where there is none, try to become the one who makes it.
-- KEYS  the answer, the lease of its flight
-- ARGV  who asks (empty: somebody who only looks), milliseconds that the lease lives
-- Returns the answer, or 1 (the lease is the asker's) or 0 (somebody else holds it), or nothing.
local answer = redis.call('GET', KEYS[1])
if answer then
  return answer
end
if ARGV[1] == '' then
  return nil
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return 1
end
-- The asker's own from before: a call is sent once more if its reply was lost.
return redis.call('GET', KEYS[2]) == ARGV[1] and 1 or 0
