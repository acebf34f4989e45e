-- A replica hears what a flight that another one leads has said since, and takes the lead if
-- that one is gone.
-- KEYS  the lease, who wants to hear, what was said (a list; see flight_lead.lua)
-- ARGV  how many elements are known; how many to give at most; milliseconds that the wish to hear
--       lives; the holder that takes a lease that is gone (empty: nobody); milliseconds that it
--       lives
-- Returns {who holds the lease (empty: nobody); how many elements the list has; 1 if it ended;
-- the elements}.
local from = tonumber(ARGV[1])
local length = redis.call('LLEN', KEYS[3])
local last = length > 0 and redis.call('LINDEX', KEYS[3], -1) or 'b'
local ended = string.sub(last, 1, 1) ~= 'b'
local items = redis.call('LRANGE', KEYS[3], from, from + ARGV[2] - 1)
local held = redis.call('GET', KEYS[1])

if not ended then
  redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
  -- Only who knows everything that was said can go on from there.
  if not held and ARGV[4] ~= '' and from + #items == length then
    redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
    held = ARGV[4]
  end
end
return {held or '', length, ended and 1 or 0, items}
