-- Note something about a conversation.
-- KEYS[1]  list of turns
-- KEYS[2]  hash: what is known of the conversation
-- ARGV     `new` if it must not be there, `old` if it must; seconds to live; now; field, value
-- Returns 1, or 0 if it is there or not there against the wish.
local there = redis.call('EXISTS', KEYS[1], KEYS[2]) > 0
if there ~= (ARGV[1] == 'old') then return 0 end
redis.call('HSETNX', KEYS[2], 'at', ARGV[3])
redis.call('HSETNX', KEYS[2], 'v', redis.call('LLEN', KEYS[1]))
redis.call('HSET', KEYS[2], ARGV[4], ARGV[5])
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
