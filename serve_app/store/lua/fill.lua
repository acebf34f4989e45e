-- Store answers and end the flights that made them: who waits finds the one when the other is gone.
-- KEYS  of each: the answer, the lease of its flight
-- ARGV  of each: the answer (empty: there is none to store), milliseconds that it lives (0: for
--       ever), who holds the lease (empty: nobody)
for i = 1, #KEYS, 2 do
  local at = (i + 1) / 2 * 3 - 2
  local answer, life_ms, holder = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if answer ~= '' then
    if life_ms == '0' then
      redis.call('SET', KEYS[i], answer)
    else
      redis.call('SET', KEYS[i], answer, 'PX', life_ms)
    end
  end
  if holder ~= '' and redis.call('GET', KEYS[i + 1]) == holder then
    redis.call('DEL', KEYS[i + 1])
  end
end
return 1
