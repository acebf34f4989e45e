-- Append one turn to a conversation.
-- KEYS[1]  list of turns, oldest first
-- ARGV     the turn; how many turns to keep; seconds to live
-- Returns how many turns there are now.
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], -ARGV[2], -1)
redis.call('EXPIRE', KEYS[1], ARGV[3])
return redis.call('LLEN', KEYS[1])
