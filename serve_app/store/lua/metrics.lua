-- One process adds what it counted to the totals of the service, tells its gauges, and may read
-- what all have told.
-- KEYS  hash of totals by field, hash of examples by field, hash of gauges by process (13 digits of
--       the time at which they end, then what the process said), number of the process's last batch
-- ARGV  the process; number of its batch; msgpack of the batch (a list: field, count, field, ...);
--       msgpack of examples (field, example, ...); its gauges (empty: leave them as they are; `-`:
--       it has none any more); milliseconds that they live; seconds that the number is kept; how
--       many fields there may be; whether to read (1 or 0)
-- A batch that comes again under its number is not added again. A field that would be one too many
-- is counted under a name whose label values are all `other`.
-- Returns nothing, or {totals, examples, gauges of each process}.
local totals, examples, gauges, mark = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local number, limit = tonumber(ARGV[2]), tonumber(ARGV[8])

local function add(batch)
  local size = redis.call('HLEN', totals)
  local is_full = size + #batch / 2 > limit
  for i = 1, #batch, 2 do
    local field = batch[i]
    if is_full and redis.call('HEXISTS', totals, field) == 0 then
      if size >= limit then
        field = string.gsub(field, '=[^\n]*', '=other')
      else
        size = size + 1
      end
    end
    redis.call('HINCRBY', totals, field, string.format('%.0f', batch[i + 1]))
  end
end

if number > tonumber(redis.call('GET', mark) or '0') then
  add(cmsgpack.unpack(ARGV[3]))
  local told = cmsgpack.unpack(ARGV[4])
  for i = 1, #told, 2 do
    if redis.call('HEXISTS', totals, told[i]) == 1 then
      redis.call('HSET', examples, told[i], told[i + 1])
    end
  end
end
redis.call('SET', mark, ARGV[2], 'EX', ARGV[7])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[5] == '-' then
  redis.call('HDEL', gauges, ARGV[1])
elseif ARGV[5] ~= '' then
  redis.call('HSET', gauges, ARGV[1], string.format('%013.0f', now + ARGV[6]) .. ARGV[5])
end
if ARGV[9] ~= '1' then return end

local told = {}
local all = redis.call('HGETALL', gauges)
for i = 1, #all, 2 do
  if tonumber(string.sub(all[i + 1], 1, 13)) < now then
    redis.call('HDEL', gauges, all[i])
  else
    told[#told + 1] = string.sub(all[i + 1], 14)
  end
end
return {redis.call('HGETALL', totals), redis.call('HGETALL', examples), told}
