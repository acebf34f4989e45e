-- KEYS  counts; see parts/tasks.lua
-- ARGV  how many overdue tasks of each kind to see to; how long dead ones are kept (ms); how many
-- Returns how many expired, of these are dead, were due, were forgotten.
-- include tasks
return sweep(tonumber(ARGV[1]), ARGV[2], ARGV[3])
