-- What the scripts of the queue of tasks share.
-- KEYS[1] is the hash of counts. The other keys have names with its beginning, and so its slot:
--   state:STATE   sorted set: tasks of a state, by when they were made
--   of:TENANT     sorted set: tasks of a tenant, by when they were made
--   leases, due, expiring   sorted sets of running, delayed, ended tasks, by when that is over (ms)
--   line:PRIORITY:TENANT    stream: waiting and running tasks; the group's pending entries run, or
--                 ran and wait for another try
--   again:PRIORITY:TENANT   sorted set: of the latter those that may run now; they go first
--   ring:PRIORITY sorted set: tenants of which a task may be waiting, by when it last had a turn
--   queued        hash: how many pending and delayed tasks a tenant has
--   task:ID       hash, events:ID stream
--   idem:TENANT:KEY   `ID DIGEST`
--   hand:WORKER   what a worker was given last: `MARK ID=FENCE ID=FENCE`
-- Times are microseconds where tasks are ordered by them (`born`, unique), else milliseconds.
-- `fence` grows whenever a claim begins, or ends by somebody else than its holder.
local COUNTS = KEYS[1]
local ROOT = string.sub(COUNTS, 1, -7)
-- The one consumer of the group: who has a task is said by its lease, and names of workers that
-- are gone would pile up in each stream.
local GROUP = 'workers'

local call = redis.call

local function key(kind, name)
  return ROOT .. kind .. ':' .. name
end

local function whole(number)
  return string.format('%.0f', number)
end

local time = call('TIME')
local NOW_US = tonumber(time[1]) * 1000000 + tonumber(time[2])
local NOW = math.floor(NOW_US / 1000)

local function count(name, by)
  if by ~= 0 then
    call('HINCRBY', COUNTS, name, by)
  end
end

local FIELDS = {
  'state', 'owner', 'class', 'born', 'fence', 'entry', 'tries', 'max', 'keep', 'told', 'gone',
}

-- What is to be known of a task to move it; nil if there is none.
local function load(id)
  local values = call('HMGET', key('task', id), unpack(FIELDS))
  if not values[1] then
    return nil
  end
  local task = {}
  for i, name in ipairs(FIELDS) do
    task[name] = values[i]
  end
  task.fence = tonumber(task.fence or 0)
  task.tries = tonumber(task.tries or 0)
  task.told = tonumber(task.told or 0)
  return task
end

local function is_gone(task)
  return task.gone and tonumber(task.gone) <= NOW
end

-- The task if it is there, of this tenant ('': of any), and not kept beyond its time.
local function find(owner, id)
  local task = load(id)
  if not task or is_gone(task) or (owner ~= '' and owner ~= task.owner) then
    return nil
  end
  return task
end

local function waits(state)
  return state == 'pending' or state == 'delayed'
end

-- Into another state, nil: out of the last one. Only the books; see below for the lines.
local function move(id, task, state)
  local from = task.state
  if from then
    call('ZREM', key('state', from), id)
    count(from .. ':' .. task.class, -1)
  end
  if state then
    call('ZADD', key('state', state), task.born, id)
    call('HSET', key('task', id), 'state', state)
    count(state .. ':' .. task.class, 1)
  end
  if waits(state) and not waits(from) then
    call('HINCRBY', ROOT .. 'queued', task.owner, 1)
  elseif waits(from) and not waits(state) then
    if call('HINCRBY', ROOT .. 'queued', task.owner, -1) <= 0 then
      call('HDEL', ROOT .. 'queued', task.owner)
    end
  end
  task.state = state
end

local function line_of(task)
  return task.class .. ':' .. task.owner
end

-- The tenant has its turn after those that wait already.
local function join_ring(task)
  local turn = call('HGET', COUNTS, 'turn') or 0
  call('ZADD', key('ring', task.class), 'NX', turn, task.owner)
end

-- To the end of the tenant's line, or to its beginning if it had been taken from there before.
local function line_up(id, task)
  local name = line_of(task)
  if task.entry then
    call('ZADD', key('again', name), NOW_US, id)
  else
    local line = key('line', name)
    if call('EXISTS', line) == 0 then
      call('XGROUP', 'CREATE', line, GROUP, '0', 'MKSTREAM')
    end
    task.entry = call('XADD', line, '*', 'id', id)
    call('HSET', key('task', id), 'entry', task.entry)
  end
  join_ring(task)
end

-- Out of wherever a task waits or runs.
local function leave(id, task)
  if task.state == 'running' then
    call('ZREM', ROOT .. 'leases', id)
  elseif task.state == 'delayed' then
    call('ZREM', ROOT .. 'due', id)
  end
  if not task.entry then
    return
  end
  local name = line_of(task)
  local line = key('line', name)
  call('XACK', line, GROUP, task.entry)
  call('XDEL', line, task.entry)
  call('ZREM', key('again', name), id)
  call('HDEL', key('task', id), 'entry')
  task.entry = nil
  if call('XLEN', line) == 0 then
    call('DEL', line)
  end
end

-- Remove all that is known of a task, whatever its state.
local function drop(id, task)
  local record = key('task', id)
  leave(id, task)
  move(id, task, nil)
  call('ZREM', ROOT .. 'expiring', id)
  call('ZREM', key('of', task.owner), id)
  count('bytes', -call('HSTRLEN', record, 'payload') - call('HSTRLEN', record, 'result'))
  local idem = call('HGET', record, 'idem')
  if idem then
    local holder = call('GET', key('idem', idem))
    if holder and string.sub(holder, 1, #id) == id then
      call('DEL', key('idem', idem))
    end
  end
  call('DEL', record, key('events', id))
end

-- A new task. `terms`: owner, class, head, payload, delay (ms), max, keep, idem, digest, hook.
local function make(id, terms)
  local born = math.max(NOW_US, tonumber(call('HGET', COUNTS, 'last') or 0) + 1)
  call('HSET', COUNTS, 'last', whole(born))
  local task = { owner = terms.owner, class = terms.class, born = whole(born) }
  local record = key('task', id)
  call('HSET', record, 'head', terms.head, 'payload', terms.payload, 'owner', terms.owner,
    'class', terms.class, 'born', task.born, 'max', terms.max, 'keep', terms.keep)
  if terms.idem ~= '' then
    call('HSET', record, 'idem', terms.idem)
    call('SET', key('idem', terms.idem), id .. ' ' .. terms.digest)
  end
  if terms.hook ~= '' then
    call('HSET', record, 'hook', terms.hook)
  end
  call('ZADD', key('of', terms.owner), task.born, id)
  count('bytes', #terms.payload)
  if tonumber(terms.delay) > 0 then
    local due = whole(NOW + tonumber(terms.delay))
    call('HSET', record, 'wait', due)
    call('ZADD', ROOT .. 'due', due, id)
    move(id, task, 'delayed')
  else
    move(id, task, 'pending')
    line_up(id, task)
  end
end

-- The task that tells somebody of an end. Its id follows from the end it tells of.
local function tell(id, task)
  local hook = call('HGET', key('task', id), 'hook')
  if not hook then
    return
  end
  local max, keep, head = string.match(hook, '^(%d+) (%d+) (.*)$')
  local ends = call('HINCRBY', key('task', id), 'ends', 1)
  local own = 'task_' .. string.sub(redis.sha1hex(id .. ':' .. ends), 1, 24)
  make(own, {
    owner = task.owner, class = 'normal', head = head, payload = id, delay = '0', max = max,
    keep = keep, idem = '', digest = '', hook = '',
  })
end

-- The end of a task. `grave`: how long a dead one is kept (ms); the oldest dead go beyond `most`.
local function finish(id, task, state, grave, most)
  local record = key('task', id)
  leave(id, task)
  move(id, task, state)
  local keep = tonumber(task.keep)
  if state == 'dead' then
    keep = math.max(keep, tonumber(grave))
  end
  if state == 'succeeded' or state == 'cancelled' then
    count('bytes', -call('HSTRLEN', record, 'payload'))
    call('HDEL', record, 'payload')
  end
  call('HDEL', record, 'wait')
  call('HSET', record, 'ended', whole(NOW), 'gone', whole(NOW + keep))
  call('ZADD', ROOT .. 'expiring', whole(NOW + keep), id)
  tell(id, task)
  if state == 'dead' and call('ZCARD', key('state', 'dead')) > tonumber(most) then
    local oldest = call('ZRANGE', key('state', 'dead'), 0, 0)[1]
    drop(oldest, load(oldest))
  end
end

-- What comes from earlier claims is void from now on.
local function raise_fence(id, task)
  task.fence = call('HINCRBY', key('task', id), 'fence', 1)
end

local function overdue(kind, limit)
  return call('ZRANGEBYSCORE', ROOT .. kind, '-inf', whole(NOW), 'LIMIT', 0, limit)
end

local function forget_expired(limit)
  local expired = overdue('expiring', limit)
  for _, id in ipairs(expired) do
    drop(id, load(id))
  end
  return #expired
end

-- Take back what workers did not renew, let go on what is due, forget what is kept no longer.
-- Returns how many of each: of the first so many are dead.
local function sweep(limit, grave, most)
  local swept = { 0, 0, 0, 0 }
  for _, id in ipairs(overdue('leases', limit)) do
    local task = load(id)
    raise_fence(id, task)
    swept[1] = swept[1] + 1
    call('HSET', key('task', id), 'code', 'worker_lost', 'message',
      'The worker that had the task was not heard of any more.')
    if task.tries > tonumber(task.max) then
      finish(id, task, 'dead', grave, most)
      swept[2] = swept[2] + 1
    else
      call('ZREM', ROOT .. 'leases', id)
      move(id, task, 'pending')
      line_up(id, task)
    end
  end
  for _, id in ipairs(overdue('due', limit)) do
    local task = load(id)
    call('ZREM', ROOT .. 'due', id)
    move(id, task, 'pending')
    line_up(id, task)
    swept[3] = swept[3] + 1
  end
  swept[4] = forget_expired(limit)
  return swept
end

-- What callers see of a task, as MessagePack: id, bytes of the result, the values of these fields
-- (false where there is none). One value, because drivers are slow with many.
local function view(id)
  local record = key('task', id)
  return cmsgpack.pack({ id, call('HSTRLEN', record, 'result'), unpack(call('HMGET', record,
    'head', 'state', 'class', 'tries', 'max', 'born', 'began', 'ended', 'wait', 'gone', 'code',
    'message', 'told', 'worker')) })
end
