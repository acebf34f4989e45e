-- One step of a flight that leads: it stays the leader, and says what it has to say.
-- A list that ended has a mark as its last element; what is no mark begins with `b`.
-- KEYS  the lease, who wants to hear, what was said (a list)
-- ARGV  the holder; what becomes of the lease (`on`: kept, `leave`: deleted unless somebody wants
--       to hear, `over`: deleted); milliseconds that the lease lives; that the list lives; how
--       many elements the list should have, then those that follow on them
-- Returns {1: somebody wants to hear, 0: nobody does, -1: another one leads; how many elements the
-- list has now; 1 if it ended}. Elements that do not follow on what is there are not added.
local held = redis.call('GET', KEYS[1])
local length = redis.call('LLEN', KEYS[3])
local last = length > 0 and redis.call('LINDEX', KEYS[3], -1) or 'b'
local ended = string.sub(last, 1, 1) ~= 'b'
-- A lease that is gone (we hung, or Redis lost it) may be taken again while nobody else did; one
-- who did and came to the end has left a mark.
if held ~= ARGV[1] and (held or ended) then
  return {-1, length, ended and 1 or 0}
end

local fits = length == tonumber(ARGV[5])
if fits and not ended then
  for i = 6, #ARGV do
    length = redis.call('RPUSH', KEYS[3], ARGV[i])
    ended = string.sub(ARGV[i], 1, 1) ~= 'b'
  end
end
redis.call('PEXPIRE', KEYS[3], ARGV[4])

local wanted = redis.call('EXISTS', KEYS[2])
local all_said = fits or ended or #ARGV == 5
if ARGV[2] == 'over' and all_said or ARGV[2] == 'leave' and wanted == 0 then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
end
return {wanted, length, ended and 1 or 0}
