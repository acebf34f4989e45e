-- Keep a stored response, if what is there may be replaced.
-- KEYS[1]  hash: `body` the response, packed, `status`
-- KEYS[2]  set: names of the responses of its conversation
-- ARGV     the response; its status; seconds to live; its name, to be listed with its conversation,
--          or nothing; how many statuses follow (below 0: any will do); the statuses, of which what
--          is there has one (nothing there: an empty one)
-- Returns 1, or 0 if it has none of them.
local many = tonumber(ARGV[5])
if many >= 0 then
  local is = redis.call('HGET', KEYS[1], 'status') or ''
  local fits = false
  for i = 6, 5 + many do fits = fits or ARGV[i] == is end
  if not fits then return 0 end
end
redis.call('HSET', KEYS[1], 'body', ARGV[1], 'status', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
if ARGV[4] ~= '' then
  redis.call('SADD', KEYS[2], ARGV[4])
  -- As long as the longest living of them: what lists them must not be over first.
  if redis.call('TTL', KEYS[2]) < tonumber(ARGV[3]) then redis.call('EXPIRE', KEYS[2], ARGV[3]) end
end
return 1
