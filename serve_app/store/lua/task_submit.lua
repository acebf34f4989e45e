-- Takes tasks in, up to the first that is refused.
-- KEYS  counts; see parts/tasks.lua
-- ARGV  most waiting tasks; of one tenant; most bytes; then for each: id, tenant, priority, head,
--       payload, delay (ms), most retries, how long it is kept after its end (ms), idempotency key
--       (empty: none), digest, what follows its end (`RETRIES KEPT_MS HEAD`; empty: nothing)
-- Returns for each {`new` or `known`, view}; for the last perhaps {`conflict`, `full`, `tenant` or
-- `bytes`}.
-- include tasks

-- The task that a submission means already.
local function known(id, owner, idem, digest)
  local holder = idem ~= '' and call('GET', key('idem', idem))
  if holder then
    local held, said = string.match(holder, '^(%S+) (.*)$')
    if find(owner, held) then
      return said == digest and { 'known', view(held) } or { 'conflict' }
    end
    drop(held, load(held))
  end
  local task = load(id)
  if task and task.owner ~= owner then
    return { 'conflict' }
  elseif task and is_gone(task) then
    drop(id, task)
  elseif task then
    return { 'known', view(id) }
  end
end

local function refusal(owner, size)
  local waiting = call('ZCARD', key('state', 'pending')) + call('ZCARD', key('state', 'delayed'))
  if waiting >= tonumber(ARGV[1]) then
    return { 'full' }
  elseif tonumber(call('HGET', ROOT .. 'queued', owner) or 0) >= tonumber(ARGV[2]) then
    return { 'tenant' }
  elseif tonumber(call('HGET', COUNTS, 'bytes') or 0) + size > tonumber(ARGV[3]) then
    return { 'bytes' }
  end
end

-- Where nobody works, old tasks still make room for new ones.
forget_expired(2)
local replies = {}
for i = 4, #ARGV, 11 do
  local id, owner = ARGV[i], ARGV[i + 1]
  local idem = ARGV[i + 8] ~= '' and owner .. ':' .. ARGV[i + 8] or ''
  local reply = known(id, owner, idem, ARGV[i + 9]) or refusal(owner, #ARGV[i + 4])
  if not reply then
    make(id, {
      owner = owner, class = ARGV[i + 2], head = ARGV[i + 3], payload = ARGV[i + 4],
      delay = ARGV[i + 5], max = ARGV[i + 6], keep = ARGV[i + 7], idem = idem,
      digest = ARGV[i + 9], hook = ARGV[i + 10],
    })
    reply = { 'new', view(id) }
  end
  table.insert(replies, reply)
  if not reply[2] then
    break
  end
end
return replies
