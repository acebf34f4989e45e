-- Store an answer and end the flight that made it: who waits finds the one when the other is gone.
-- KEYS  the answer, the lease of its flight
-- ARGV  the answer (empty: there is none to store), milliseconds that it lives (0: for ever),
--       who holds the lease (empty: nobody)
if ARGV[1] ~= '' then
  if ARGV[2] == '0' then
    redis.call('SET', KEYS[1], ARGV[1])
  else
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  end
end
if ARGV[3] ~= '' and redis.call('GET', KEYS[2]) == ARGV[3] then
  redis.call('DEL', KEYS[2])
end
return 1
