-- The ledger: what was promised (reservations), what was used (buckets and budgets), what it came
-- to (totals). Every change is one call; time is Redis's own. What a scope has used is one packed
-- value; beside it stands a sorted set of its holds: a lease and the money it may cost, by the
-- millisecond it ends.
--
-- A bucket of tokens holds what was used, in 1/60,000,000 of a token, and loses `limit` of these a
-- microsecond: integers throughout, exact up to 100 million tokens a minute.
--
-- ARGV[1] is what to do: reserve, settle, look, renew; the rest is said at each.
local TOKEN = 60000000
local RATES = {'requests', 'input', 'output', 'tokens'}
local PERIODS = {'day', 'week', 'month', 'total'}
local NOTHING = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
local DEEPEST = 10 -- no bucket is deeper in debt than so many minutes

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local now_ms = math.floor(now / 1000)

-- Howard Hinnant's chrono-compatible algorithms, from 1970 on.
local function month_of(days)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor(
    (doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return year * 12 + month - 1
end

local function first_day_of(month)
  local year, m = math.floor(month / 12), month % 12 + 1
  local y = m <= 2 and year - 1 or year
  local era = math.floor(y / 400)
  local yoe = y - era * 400
  local doy = math.floor((153 * (m > 2 and m - 3 or m + 9) + 2) / 5)
  return era * 146097 + yoe * 365 + math.floor(yoe / 4) - math.floor(yoe / 100) + doy - 719468
end

local today = math.floor(time[1] / 86400)
local week = math.floor((today + 3) / 7) -- 1970-01-01 was a Thursday
local current = {day = today, week = week, month = month_of(today), total = 0}

local function until_next(period)
  if period == 'total' then return 0 end
  local next_day = today + 1
  if period == 'week' then next_day = (week + 1) * 7 - 3 end
  if period == 'month' then next_day = first_day_of(current.month + 1) end
  return next_day * 86400000000 - now
end

-- A scope: its limits, and what it has used, brought up to now.
local function open(state, holds, limit)
  local s = {
    state = state, holds = holds, changed = false,
    rate = {limit[1], limit[2], limit[3], limit[4]}, parallel = limit[5],
    money = {day = limit[6], week = limit[7], month = limit[8], total = limit[9]},
    ttl_s = limit[10], used = {}, spent = {}, held = 0, running = 0,
  }
  s.has_money = limit[6] >= 0 or limit[7] >= 0 or limit[8] >= 0 or limit[9] >= 0
  s.has_holds = s.has_money or s.parallel > 0
  local stored = redis.call('GET', state)
  local v = stored and cmsgpack.unpack(stored) or NOTHING
  local elapsed = math.max(0, now - v[1])
  for i = 1, 4 do
    local used = math.min(v[i + 1], DEEPEST * s.rate[i] * TOKEN)
    s.used[i] = math.max(0, used - s.rate[i] * elapsed)
  end
  for i, period in ipairs(PERIODS) do
    s.spent[period] = v[5 + 2 * i] == current[period] and v[6 + 2 * i] or 0
  end
  if s.has_holds then
    s.held = v[6]
    local ended = redis.call('ZRANGEBYSCORE', holds, '-inf', now_ms, 'LIMIT', 0, 1000)
    for _, hold in ipairs(ended) do
      s.held = s.held - tonumber(string.match(hold, ':(%d+)$'))
      redis.call('ZREM', holds, hold)
      s.changed = true
    end
    s.running = redis.call('ZCARD', holds)
  end
  return s
end

local function save(s)
  local used, spent = s.used, s.spent
  local packed = cmsgpack.pack({
    now, used[1], used[2], used[3], used[4], s.held, current.day, spent.day,
    current.week, spent.week, current.month, spent.month, 0, spent.total})
  if s.ttl_s > 0 then
    redis.call('SET', s.state, packed, 'EX', s.ttl_s)
  else
    redis.call('SET', s.state, packed)
  end
end

-- Tokens used in each bucket, running, held, then what was spent in each period.
local function tell(s)
  local used, spent = s.used, s.spent
  return {
    math.ceil(used[1] / TOKEN), math.ceil(used[2] / TOKEN), math.ceil(used[3] / TOKEN),
    math.ceil(used[4] / TOKEN), s.running, s.held, spent.day, spent.week, spent.month, spent.total}
end

-- The scopes of KEYS (state and holds of each), with their limits.
local function open_all(limits)
  local scopes = {}
  for number, limit in ipairs(limits) do
    scopes[number] = open(KEYS[2 * number - 1], KEYS[2 * number], limit)
  end
  return scopes
end

-- Saves them, and says what each has used.
local function close_all(scopes)
  local figures = {}
  for number, s in ipairs(scopes) do
    if s.changed then save(s) end
    figures[number] = tell(s)
  end
  return figures
end

-- What of a scope is in the way of a request: its name, and microseconds until trying again.
local function obstacle(s, need, cost)
  local name, wait = nil, 0
  for i = 1, 4 do
    if s.rate[i] > 0 then
      local over = s.used[i] + need[i] * TOKEN - s.rate[i] * TOKEN
      if over > 0 and math.ceil(over / s.rate[i]) > wait then
        name, wait = RATES[i], math.ceil(over / s.rate[i])
      end
    end
  end
  if s.parallel > 0 and s.running >= s.parallel and wait < 1000000 then
    name, wait = 'parallel', 1000000
  end
  for _, period in ipairs(PERIODS) do
    local limit = s.money[period]
    if limit >= 0 and s.spent[period] + s.held + cost > limit then
      -- What is only held may come free soon.
      local later = s.spent[period] + cost > limit and until_next(period) or 1000000
      if period == 'total' and s.spent.total + cost > limit then return 'total', -1 end
      if later > wait then name, wait = period, later end
    end
  end
  return name, wait
end

-- The scopes of a request by their numbers; which of these refuses (its place, 0: none does), by
-- what, and microseconds to wait (-1: for ever).
local function refusal(scopes, numbers, need, cost)
  local refused, by, wait = 0, '-', 0
  for place, number in ipairs(numbers) do
    local name, longer = obstacle(scopes[number], need, cost)
    if name and wait >= 0 and (longer < 0 or longer > wait) then
      refused, by, wait = place, name, longer
    end
  end
  return refused, by, wait
end

local function take(s, need, cost, hold, ends_ms)
  for i = 1, 4 do
    if s.rate[i] > 0 then s.used[i] = s.used[i] + need[i] * TOKEN end
  end
  if s.has_holds then
    redis.call('ZADD', s.holds, ends_ms, hold)
    s.running, s.held, s.holds_more = s.running + 1, s.held + cost, true
  end
  s.changed = true
end

-- reserve: KEYS state and holds of each scope; ARGV milliseconds of a lease, and in MessagePack the
-- limits of each scope, then the requests: of each its lease, input tokens, output tokens, cost,
-- the numbers of its scopes. A request is charged to all of its scopes or to none, one after the
-- other. Replies in MessagePack: of each request what `refusal` says; of each scope what `tell`
-- does, after all of them.
local function reserve()
  local ends_ms, asked = now_ms + tonumber(ARGV[2]), cmsgpack.unpack(ARGV[3])
  local scopes, said = open_all(asked[1]), {}
  for at, request in ipairs(asked[2]) do
    local input, output, cost, numbers = request[2], request[3], request[4], request[5]
    local need = {1, input, output, input + output}
    local refused, by, wait = refusal(scopes, numbers, need, cost)
    if refused == 0 then
      local hold = request[1] .. ':' .. string.format('%.0f', cost)
      for _, number in ipairs(numbers) do take(scopes[number], need, cost, hold, ends_ms) end
    end
    said[at] = {refused, by, wait}
  end
  for _, s in ipairs(scopes) do
    if s.holds_more then redis.call('EXPIRE', s.holds, math.max(86400, s.ttl_s)) end
  end
  return cmsgpack.pack({said, close_all(scopes)})
end

-- look: KEYS as in reserve; ARGV in MessagePack the limits of each scope. What `tell` says of each.
local function look()
  return cmsgpack.pack(close_all(open_all(cmsgpack.unpack(ARGV[2]))))
end

-- renew: KEYS sets of holds; ARGV milliseconds, then for each how many holds, and these.
local function renew()
  local at = 3
  for _, holds in ipairs(KEYS) do
    local last = at + tonumber(ARGV[at])
    for i = at + 1, last do
      redis.call('ZADD', holds, 'XX', now_ms + tonumber(ARGV[2]), ARGV[i])
    end
    at = last + 1
  end
  return 1
end

-- settle: a batch of amounts, once, however often it is sent. KEYS the writer's mark, hashes of
-- totals, then state and holds of each scope, then a mark for each bill; ARGV number of the batch
-- (a writer numbers upwards), seconds that marks and the totals live, how many totals, and in
-- MessagePack a list for each of them (names and amounts in turns) and for each scope: its limits,
-- input and output tokens to add (less what was reserved), money spent, the holds that end; then
-- the bills, if there are any: see `charge`. Replies 1, or 0 if the batch had been added before.
local function add(key, changes)
  for i = 1, #changes, 2 do redis.call('HINCRBY', key, changes[i], changes[i + 1]) end
  redis.call('EXPIRE', key, ARGV[4])
end

local function correct(s, input, output, cost, ended)
  local more = {0, input, output, input + output}
  for i = 1, 4 do
    if s.rate[i] > 0 then s.used[i] = math.max(0, s.used[i] + more[i] * TOKEN) end
  end
  for _, period in ipairs(PERIODS) do s.spent[period] = s.spent[period] + cost end
  for _, hold in ipairs(ended) do
    if redis.call('ZREM', s.holds, hold) == 1 and s.has_holds then
      s.held = s.held - tonumber(string.match(hold, ':(%d+)$'))
    end
  end
  save(s)
end

-- A bill: the number of its mark's key; rows, the answer's first, each with the totals that it is
-- summed up in (their numbers and its name there in turns) and its amounts in the order of METRICS;
-- the changes of the scopes that it is charged to, by number. Adds to the changes what of it is new:
-- of all bills of one name the largest amounts count, and one request.
local METRICS = {'requests', 'failed', 'prompt_tokens', 'completion_tokens', 'cost_micro_usd',
                 'cached', 'cached_tokens', 'saved_micro_usd'}
local AMOUNTS = {3, 4, 5} -- of METRICS: what limits and budgets are charged with

local function enter(changes, places, metric, amount)
  if amount == 0 then return end
  for i = 1, #places, 2 do
    local list = changes[places[i]]
    list[#list + 1] = METRICS[metric] .. ':' .. places[i + 1]
    list[#list + 1] = amount
  end
end

local function charge(changes, bill)
  local mark, rows, scopes = KEYS[bill[1]], bill[2], bill[3]
  if #rows == 0 then return end
  local before, was_there = {0, 0, 0, 0}, redis.call('GET', mark)
  if was_there then
    local at = 0
    for number in string.gmatch(was_there, '%d+') do
      at = at + 1
      before[at] = tonumber(number)
    end
  end
  local counted = before[1]
  for _, row in ipairs(rows) do
    if before[1] == 0 then
      for _, metric in ipairs({1, 2, 6, 7, 8}) do enter(changes, row[1], metric, row[2][metric]) end
    end
    if row[2][1] > 0 then counted = 1 end
  end
  local now = {counted}
  for i, metric in ipairs(AMOUNTS) do
    local amount = 0
    for _, row in ipairs(rows) do
      amount = amount + row[2][metric]
      if not was_there then enter(changes, row[1], metric, row[2][metric]) end
    end
    local more = math.max(0, amount - before[i + 1])
    if was_there and more > 0 then enter(changes, rows[1][1], metric, more) end
    for _, scope in ipairs(scopes) do changes[scope][i + 1] = changes[scope][i + 1] + more end
    now[i + 1] = before[i + 1] + more
  end
  redis.call('SET', mark, table.concat(now, ' '), 'EX', ARGV[3])
end

local function settle()
  local number, totals = tonumber(ARGV[2]), tonumber(ARGV[5])
  if tonumber(redis.call('GET', KEYS[1]) or 0) >= number then return 0 end
  local changes = cmsgpack.unpack(ARGV[6])
  local bills = ARGV[7] and cmsgpack.unpack(ARGV[7]) or {}
  -- Redis does not undo what a script did before it failed: find out first.
  for i = 2, #KEYS do
    local wanted = i <= totals + 1 and 'hash' or (i - totals) % 2 == 0 and 'string' or 'zset'
    if i > #KEYS - #bills then wanted = 'string' end
    local kind = redis.call('TYPE', KEYS[i]).ok
    if kind ~= 'none' and kind ~= wanted then
      return redis.error_reply('WRONGTYPE ledger: a key holds a ' .. kind)
    end
  end
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
  for _, bill in ipairs(bills) do charge(changes, bill) end
  for i = 1, totals do add(KEYS[i + 1], changes[i]) end
  for i = totals + 1, #changes do
    local at, change = 2 * i - totals, changes[i]
    local s = open(KEYS[at], KEYS[at + 1], change[1])
    correct(s, change[2], change[3], change[4], change[5])
  end
  return 1
end

local doing = ARGV[1]
if doing == 'reserve' then return reserve() end
if doing == 'settle' then return settle() end
if doing == 'look' then return look() end
if doing == 'renew' then return renew() end
return redis.error_reply('ledger: what is ' .. doing .. '?')
