-- Take one token from every bucket, or from none (generic cell rate algorithm).
-- A bucket is the time at which it will be full again, in microseconds since 1970. That time
-- keeps its meaning when the limit changes.
-- KEYS  buckets
-- ARGV  for each bucket: its size in tokens, microseconds to gain one token
-- Returns which bucket refused (0: none) and the microseconds until trying again makes sense,
-- then for each bucket the tokens left and the microseconds until it is full.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full_at, refused, wait = {}, 0, 0
local reply = {0, 0}

for i, key in ipairs(KEYS) do
  local size, step = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local at = tonumber(redis.call('GET', key) or now)
  -- Not beyond an empty bucket: the limit may have shrunk, the server's clock may have gone back.
  at = math.min(math.max(at, now), now + size * step)
  local late = at + step - now - size * step
  if late > wait then
    refused, wait = i, late
  end
  full_at[i] = at + step
end

for i, key in ipairs(KEYS) do
  local size, step = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local at = full_at[i]
  if refused == 0 then
    redis.call('SET', key, string.format('%.0f', at), 'PX', math.ceil((at - now) / 1000))
  else
    at = at - step
  end
  reply[2 * i + 1] = math.floor((size * step - (at - now)) / step)
  reply[2 * i + 2] = at - now
end
reply[1], reply[2] = refused, wait
return reply
