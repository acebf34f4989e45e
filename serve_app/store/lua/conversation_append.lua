-- Add a turn at the end of a conversation, if nobody spoke in between.
-- KEYS[1]  list of turns, oldest first
-- KEYS[2]  hash: `v` turns there ever were, `b` bytes of those kept, `t` tokens of all, `at` since
--          when (Unix seconds), `pin:N` instructions in turn N, and what other scripts know
-- KEYS[3]  list: what placeholders stand for, sealed
-- ARGV     the turn; how many turns the caller saw (below 0: any); 1 to add it all the same if
--          there are more now; most turns; most bytes; seconds to live; now; its tokens; its
--          instructions, packed, or nothing; 1 if the caller saw a conversation, even an empty one;
--          what placeholders in it stand for, sealed, or nothing; of how many turns that is kept
-- Returns what became of it and how many turns there ever were: 1 kept, 0 there are more than were
-- seen, -1 there are fewer: the conversation was deleted.
local kept = redis.call('LLEN', KEYS[1])
local version = tonumber(redis.call('HGET', KEYS[2], 'v') or kept)
local seen = tonumber(ARGV[2])
if seen >= 0 and version < seen then return { -1, version } end
if ARGV[10] == '1' and redis.call('EXISTS', KEYS[1], KEYS[2]) == 0 then return { -1, version } end
if seen >= 0 and version > seen and ARGV[3] ~= '1' then return { 0, version } end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[2], 'v', version + 1)
redis.call('HSETNX', KEYS[2], 'at', ARGV[7])
redis.call('HINCRBY', KEYS[2], 't', ARGV[8])
if ARGV[9] ~= '' then
  -- Instructions outlive their turn; the first ones, so that the hash stays small.
  local pins = redis.call('HINCRBY', KEYS[2], 'pins', 1)
  if pins <= 8 then redis.call('HSET', KEYS[2], 'pin:' .. version, ARGV[9]) end
end
local bytes = redis.call('HINCRBY', KEYS[2], 'b', #ARGV[1])
kept = kept + 1
while kept > tonumber(ARGV[4]) or (bytes > tonumber(ARGV[5]) and kept > 1) do
  bytes = bytes - #redis.call('LPOP', KEYS[1])
  kept = kept - 1
end
if ARGV[11] ~= '' then
  redis.call('RPUSH', KEYS[3], ARGV[11])
  redis.call('LTRIM', KEYS[3], -ARGV[12], -1)
  redis.call('EXPIRE', KEYS[3], ARGV[6])
end
redis.call('HSET', KEYS[2], 'b', math.max(bytes, 0))
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('EXPIRE', KEYS[2], ARGV[6])
return { 1, version + 1 }
