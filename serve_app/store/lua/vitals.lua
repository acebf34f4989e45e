-- One replica tells how its backends do and hears how the others see theirs.
-- All times are this server's: replicas send and get milliseconds that remain.
-- KEYS  hash of breakers by model (`version:until`, until 0: closed), hash of figures by replica
--       (13 digits of time, then what the replica said), then for each change its probe's lease
-- ARGV  the replica; its figures (empty: it has none); milliseconds that figures live; that
--       breakers live; then for each change: the model, the version it follows on (empty: none),
--       the milliseconds it stays open (-1: it closed)
-- Returns {model, version, milliseconds left (-1: closed)} for each breaker, then the figures of
-- the other replicas.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

for i = 3, #KEYS do
  local at = 3 * i - 4
  local model, base, left = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local version, untl = string.match(redis.call('HGET', KEYS[1], model) or '', '^(%d+):(%d+)$')
  local is_open = version and untl ~= '0'
  -- An opening by a replica that does not know yet of the closing comes too late. A closing
  -- stands on an answer and comes never too late.
  local is_late = left >= 0 and version and not is_open and version ~= base
  local says_nothing = left < 0 and version and not is_open
  if not is_late and not says_nothing then
    local closes_at = left < 0 and 0 or math.max(now + left, is_open and tonumber(untl) or 0)
    version = math.max(now, (tonumber(version) or 0) + 1)
    redis.call('HSET', KEYS[1], model, string.format('%.0f:%.0f', version, closes_at))
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
    redis.call('DEL', KEYS[i])
  end
end

if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[2], ARGV[1], string.format('%013.0f', now) .. ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end

local breakers, figures = {}, {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local version, untl = string.match(all[i + 1], '^(%d+):(%d+)$')
  local left = untl == '0' and -1 or math.max(0, tonumber(untl) - now)
  breakers[#breakers + 1] = {all[i], version, left}
end
all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local told_at = tonumber(string.sub(all[i + 1], 1, 13))
  if math.abs(now - told_at) > tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[2], all[i])
  elseif all[i] ~= ARGV[1] then
    figures[#figures + 1] = string.sub(all[i + 1], 14)
  end
end
return {breakers, figures}
