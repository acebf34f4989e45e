-- Make a conversation of turns that were laid ready; how a fork becomes visible, all at once.
-- KEYS[1]  turns laid ready, oldest first
-- KEYS[2]  list of turns of the new conversation
-- KEYS[3]  hash: what is known of it
-- ARGV     seconds to live; field, value, ... of the hash
-- Returns 1, or 0 if there is such a conversation.
if redis.call('EXISTS', KEYS[2], KEYS[3]) > 0 then
  redis.call('DEL', KEYS[1])
  return 0
end
if redis.call('EXISTS', KEYS[1]) > 0 then redis.call('RENAME', KEYS[1], KEYS[2]) end
redis.call('HSET', KEYS[3], unpack(ARGV, 2))
redis.call('EXPIRE', KEYS[2], ARGV[1])
redis.call('EXPIRE', KEYS[3], ARGV[1])
return 1
