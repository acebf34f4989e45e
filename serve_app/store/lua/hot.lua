-- Count questions that were asked, and keep those that are asked most.
-- KEYS  sorted set of times asked, hash of hits, hash of texts, mark of the last fading
-- ARGV  how many questions to keep, seconds between two fadings (counts are then halved), seconds
--       that all of it lives without being asked; then for each question: its fingerprint, times
--       asked, hits, its text
local most = tonumber(ARGV[1])

local function forget(name)
  redis.call('ZREM', KEYS[1], name)
  redis.call('HDEL', KEYS[2], name)
  redis.call('HDEL', KEYS[3], name)
end

if redis.call('SET', KEYS[4], '1', 'NX', 'EX', ARGV[2]) then
  local all = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
  for i = 1, #all, 2 do
    local asked = math.floor(all[i + 1] / 2)
    if asked == 0 then
      forget(all[i])
    else
      redis.call('ZADD', KEYS[1], asked, all[i])
      local hits = tonumber(redis.call('HGET', KEYS[2], all[i]) or 0)
      redis.call('HSET', KEYS[2], all[i], math.floor(hits / 2))
    end
  end
end

for i = 4, #ARGV, 4 do
  redis.call('ZINCRBY', KEYS[1], ARGV[i + 1], ARGV[i])
  redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 2])
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 3])
end

-- Room for half as many more: else a new one would go before it could be asked twice.
if redis.call('ZCARD', KEYS[1]) > most * 1.5 then
  for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -most - 1)) do
    forget(name)
  end
end
for i = 1, 3 do
  redis.call('EXPIRE', KEYS[i], ARGV[3])
end
return redis.call('ZCARD', KEYS[1])
