-- Read a part of a conversation, as much of it as the limits allow and no more.
-- KEYS[1]  list of turns, oldest first
-- KEYS[2]  hash: what is known of the conversation
-- ARGV     `back` or `on`; the turn to begin at, counted over all there ever were (going back: the
--          one after it; below 0: the end); most turns; most bytes; seconds to live
-- Returns how many turns there ever were, how many of them are gone, the hash, and the turns in the
-- order of reading. One turn is read however large it is.
local kept = redis.call('LLEN', KEYS[1])
local version = tonumber(redis.call('HGET', KEYS[2], 'v') or kept)
local gone = version - kept
local back, at = ARGV[1] == 'back', tonumber(ARGV[2])
local most, room = tonumber(ARGV[3]), tonumber(ARGV[4])
local step = back and -1 or 1
if back then
  if at < 0 or at > version then at = version end
  at = at - 1
elseif at < gone then
  at = gone
end
local turns = {}
while at >= gone and at < version and #turns < most do
  local turn = redis.call('LINDEX', KEYS[1], at - gone)
  room = room - #turn
  if room < 0 and #turns > 0 then break end
  turns[#turns + 1] = turn
  at = at + step
end
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[5])
return { version, gone, redis.call('HGETALL', KEYS[2]), turns }
