-- Add a batch of amounts to the books, once, however often it is sent.
-- KEYS  the writer's mark, then hashes of totals
-- ARGV  number of the batch (a writer's batches are numbered upwards), seconds that the mark and
--       the hashes live; then for each hash: how many fields, and for each a name and an amount
-- Returns 1 if the batch was added, 0 if it had been before.
local number = tonumber(ARGV[1])
if tonumber(redis.call('GET', KEYS[1]) or 0) >= number then
  return 0
end
-- Redis does not undo what a script did before it failed: find out first.
for i = 2, #KEYS do
  local kind = redis.call('TYPE', KEYS[i]).ok
  if kind ~= 'hash' and kind ~= 'none' then
    return redis.error_reply('WRONGTYPE totals are in a ' .. kind)
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
local at = 4
for i = 2, #KEYS do
  local last = at + 2 * ARGV[at]
  for field = at + 1, last, 2 do
    redis.call('HINCRBY', KEYS[i], ARGV[field], ARGV[field + 1])
  end
  redis.call('EXPIRE', KEYS[i], ARGV[3])
  at = last + 1
end
return 1
