-- Look for stored answers; where there is none, try to become the one who makes it.
-- KEYS  of each: the answer, the lease of its flight
-- ARGV  milliseconds that a lease lives, then of each who asks (empty: somebody who only looks)
-- Returns of each the answer, or 1 (the lease is the asker's) or 0 (somebody else holds it), or
-- nothing.
local function seek(answer, lease, holder)
  local stored = redis.call('GET', answer)
  if stored or holder == '' then
    return stored
  end
  if redis.call('SET', lease, holder, 'NX', 'PX', ARGV[1]) then
    return 1
  end
  -- The asker's own from before: a call is sent once more if its reply was lost.
  return redis.call('GET', lease) == holder and 1 or 0
end

local told = {}
for i = 1, #KEYS, 2 do
  told[(i + 1) / 2] = seek(KEYS[i], KEYS[i + 1], ARGV[1 + (i + 1) / 2])
end
return told
