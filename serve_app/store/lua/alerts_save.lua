-- Keep what is known of alerts, unless somebody else has kept something since.
-- KEYS  the state (a hash: body, version, writer, events), the history (a list, newest first)
-- ARGV  the writer; the version it changed; the state; how many events are kept; then for each
--       event its number and the event
-- Returns the version it has now; 0: somebody else's is there, and nothing was kept.
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
local writer = redis.call('HGET', KEYS[1], 'writer')
-- Of the same writer a save may have arrived whose answer did not.
if version ~= 0 and version ~= tonumber(ARGV[2]) and writer ~= ARGV[1] then
  return 0
end
local seen = tonumber(redis.call('HGET', KEYS[1], 'events') or '0')
for i = 5, #ARGV, 2 do
  local number = tonumber(ARGV[i])
  if number > seen then
    redis.call('LPUSH', KEYS[2], ARGV[i + 1])
    seen = number
  end
end
redis.call('LTRIM', KEYS[2], 0, ARGV[4] - 1)
version = math.max(version, tonumber(ARGV[2])) + 1
redis.call('HSET', KEYS[1], 'body', ARGV[3], 'version', version, 'writer', ARGV[1], 'events', seen)
return version
