"""The scripts by which processes share limits on Redis.

Each call is atomic, and its only clock is the server's. A limit is a fixed number of *tokens*, and
at any moment each token is in one place: held by a process, cooling down, or free. So the leases of
living processes are a partition of the limit, whoever asks, fails or dies.

A *window* (for `at_most`): a token may be used once in a period, and goes on being held by who
holds it. One that is given back, or whose holder was not heard of for `LEASE_SECONDS`, cools down
until its last possible use is a period away. A *budget*: a token is used once and for all. What was
granted counts as spent until it is given back. A *reservoir* (for `at_least`) adds up what all
kept; a *target* (of an adaptive rate) adds up the traffic of all.

A process says what it holds, and is believed: nobody else can use it. Each call has a number, so
that one that was late on its way changes nothing. So a call whose answer was lost does no harm, and
is simply made again.

Every limit is one hash, with a *generation*: the moment it was made. A Redis that lost its data
makes a new one. Who knows another generation tells what it holds and what Redis said last, and
until `GRACE` seconds have gone by nothing is granted, so that everyone had the time to tell; nor,
for as long as a lease lasts, before as many processes have told as were declared. It is the same
after a Redis that hung. So a loss of data forgets nothing that a living process remembers,
and the partition stays one.

The server's clock may be set, or be another server's after a failover. A window has a clock of its
own, the server's plus an offset: each process says how much time went by for itself, and where the
two differ the offset changes.
"""

from __future__ import annotations

import hashlib

from asgi_sentry._sampling.budgets import ROOM

SLOTS = 16
"""Parts of a period in which cooling tokens are counted."""
GRACE = 2.0
LEASE_SECONDS = 15.0
"""After which the tokens of a worker that was not heard of may be used by others."""
GAP = 3.0
"""Seconds without a call, by which Redis knows that it was away.

Each process calls once a second.
"""
HUNGER = 3.0
"""Seconds for which a worker that found nothing counts as hungry."""
HOLD = 3_600.0
"""Seconds for which a silent worker's part of what time adds to a budget is kept for it."""
LEAST = 64
"""Tokens of a budget that are held in reserve for a burst, if there is enough."""

_BEGIN = rf"""
local key, members, names = KEYS[1], KEYS[2], KEYS[3]
local worker, declared, generation, seq = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local name, count, period = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000

-- Who is there. A moment in the future was noted before the clock was set back.
redis.call('ZADD', members, now, worker)
redis.call('ZREMRANGEBYSCORE', members, '-inf', now - {LEASE_SECONDS})
redis.call('ZREMRANGEBYSCORE', members, now + {LEASE_SECONDS}, '+inf')
redis.call('EXPIRE', members, {int(2 * LEASE_SECONDS)})
local workers = math.max(declared, redis.call('ZCARD', members))

-- Whether another process, that is alive, gave another limit under this name.
local conflict, limit = 0, ARGV[6] .. '/' .. ARGV[7]
local before, at = string.match(redis.call('HGET', names, name) or '', '^(%S+) (%S+)$')
if before and before ~= limit and math.abs(now - tonumber(at)) < {LEASE_SECONDS} then
  conflict = 1
end
redis.call('HSET', names, name, limit .. ' ' .. string.format('%.3f', now))
redis.call('EXPIRE', names, 86400)

local function words(text)
  local found = {{}}
  for word in string.gmatch(text or '', '%S+') do found[#found + 1] = tonumber(word) end
  return found
end
"""

# The generation, and whether the lender was away: for the kinds that lend.
_LEND = rf"""
local clock = now + tonumber(redis.call('HGET', key, 'offset') or '0')
local known = redis.call('HGET', key, 'gen')
if not known then
  known = string.format('%.6f', now)
  clock = now
  redis.call('HSET', key, 'gen', known, 'born', known)
elseif generation == known and heard then
  -- At least as much time has gone by as since the last answer came; not much more than since
  -- it was asked for.
  local low, high = heard + tonumber(ARGV[9]), heard + tonumber(ARGV[10]) + 0.5
  if clock < low then clock = low elseif clock > high then clock = high end
end
redis.call('HSET', key, 'offset', string.format('%.6f', clock - now))

local held_by, hungry, lacking, slots = {{}}, 0, 0, {{}}
local all = redis.call('HGETALL', key)
for i = 1, #all, 2 do
  local what, whose = string.match(all[i], '^(%l):(.*)$')
  if what == 'w' then
    held_by[whose] = words(all[i + 1])
  elseif what == 'h' then
    local hunger = words(all[i + 1])
    local since = clock - hunger[1]
    if since > {HUNGER} or since < -{HUNGER} then
      redis.call('HDEL', key, all[i])
    elseif whose ~= worker then
      hungry = hungry + 1
      lacking = lacking + hunger[2]
    end
  elseif what == 'c' then
    slots[tonumber(whose)] = tonumber(all[i + 1])
  end
end

local mine = held_by[worker]
held_by[worker] = nil
local away = clock - tonumber(redis.call('HGET', key, 'last') or clock)
if away > {GAP} and next(held_by) then
  redis.call('HSET', key, 'born', string.format('%.6f', clock))
else
  away = 0
end
redis.call('HSET', key, 'last', string.format('%.6f', clock))
local age = clock - tonumber(redis.call('HGET', key, 'born'))
local pending = age < {GRACE}
if generation ~= '' and generation ~= known then redis.call('HSET', key, 'lost', '1') end
if not pending and age < {LEASE_SECONDS} and redis.call('HGET', key, 'lost') then
  local told = 1
  for _ in pairs(held_by) do told = told + 1 end
  pending = told < declared  -- somebody may have been too busy to tell
end
local granted, lost = 0, 0
"""

WINDOW = (
    _BEGIN
    + "local heard = tonumber(ARGV[8])\n"
    + _LEND
    + rf"""
local held, want, refused = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local returned, busy, memory = ARGV[14], ARGV[15], ARGV[16]
local slot = period / {SLOTS}

local function each(text, act)
  for remaining, n in string.gmatch(text, '([%d.]+):(%d+)') do
    act(clock + tonumber(remaining), tonumber(n))
  end
end
local function cool(at, n)
  local place = math.ceil(math.min(at, clock + period) / slot)
  slots[place] = (slots[place] or 0) + n
end
local function cool_at_least(at, n)
  local place = math.ceil(at / slot)
  slots[place] = math.max(slots[place] or 0, n)
end

local late = mine and seq <= mine[2]
if not late then
  local others = 0
  for whose, lease in pairs(held_by) do
    local ends = math.min(lease[3] + away, clock + {LEASE_SECONDS})
    if ends < clock then
      cool(ends + period, lease[1])
      redis.call('HDEL', key, 'w:' .. whose)
    else
      others = others + lease[1]
      if away > 0 then
        local kept = string.format('%d %d %.6f', lease[1], lease[2], ends)
        redis.call('HSET', key, 'w:' .. whose, kept)
      end
    end
  end
  if mine and mine[3] + away < clock then
    cool(mine[3] + period, mine[1])
    mine = nil
  end
  if not mine then
    local forgotten = generation ~= '' and generation ~= known
    if forgotten then each(memory, cool_at_least) end
    if not (forgotten and pending) then
      -- Without a lease nothing is held; what was used counts all the same.
      each(busy, cool)
      if held > 0 then lost = 1 end
      held = 0
    end
  end
  each(returned, cool)

  local cooling = 0
  for at, n in pairs(slots) do
    if at * slot > clock then cooling = cooling + n end
  end
  local free = count - others - held - cooling
  local share = math.max(1, math.floor(count / workers))
  if not pending and want > 0 and free > 0 then
    -- An equal share at once; more than that only if nobody lacks it, and then half of the rest.
    local below = math.max(0, share - held)
    local most = free
    if below < free then most = lacking > 0 and below or below + math.ceil((free - below) / 2) end
    granted = math.min(want, most)
    held = held + granted
  end
  local ends = clock + {LEASE_SECONDS}
  redis.call('HSET', key, 'w:' .. worker, string.format('%d %d %.6f', held, seq, ends))
  if refused > 0 and granted == 0 then
    local lacks = held < share and 1 or 0
    redis.call('HSET', key, 'h:' .. worker, string.format('%.6f %d', clock, lacks))
  else
    redis.call('HDEL', key, 'h:' .. worker)
  end
end

local told = {{}}
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 2) == 'c:' then redis.call('HDEL', key, all[i]) end
end
for at, n in pairs(slots) do
  local remaining = at * slot - clock
  if remaining > 0 and n > 0 then
    -- One far in the future was left by a clock that was set back since.
    if remaining > period + slot then
      remaining = period
      at = math.ceil((clock + period) / slot)
      n = n + tonumber(redis.call('HGET', key, 'c:' .. string.format('%.0f', at)) or '0')
    end
    redis.call('HSET', key, 'c:' .. string.format('%.0f', at), n)
    told[#told + 1] = string.format('%.6f:%d', remaining, n)
  end
end
redis.call('EXPIRE', key, math.ceil(period * 2) + 60)
return {{granted, pending and 1 or 0, workers, hungry, conflict, lost, known,
        string.format('%.6f', clock),
        lacking, table.concat(told, ',')}}
"""
)

# The calendar month that holds a moment (days to civil date: Howard Hinnant's algorithm).
_MONTH = r"""
local function month()
  local days = math.floor(now / 86400)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local leap = math.floor(doe / 1460) - math.floor(doe / 36524) + math.floor(doe / 146096)
  local yoe = math.floor((doe - leap) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day = doy - math.floor((153 * mp + 2) / 5) + 1
  local m = mp < 10 and mp + 3 or mp - 9
  local y = yoe + era * 400 + (m <= 2 and 1 or 0)
  local lengths = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
  local length = lengths[m]
  if m == 2 and (y % 4 == 0 and (y % 100 ~= 0 or y % 400 == 0)) then length = 29 end
  local first = (days - day + 1) * 86400
  return first, first + length * 86400
end
"""

BUDGET = (
    _BEGIN
    + "local heard = nil\n"
    + _LEND
    + _MONTH
    + rf"""
local told_start, account, heard_account, heard_spent =
  tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local held, want = tonumber(ARGV[12]), tonumber(ARGV[13])
local refused, spare = tonumber(ARGV[14]), tonumber(ARGV[15])
local from, to
if period > 0 then
  from = math.floor(now / period) * period
  to = from + period
else
  from, to = month()
end
-- A clock that was set back does not begin an old period anew.
local start = tonumber(redis.call('HGET', key, 'start') or '-1')
if from > start then
  redis.call('HSET', key, 'start', string.format('%.0f', from), 'spent', 0, 'floor', 0)
  for whose in pairs(held_by) do redis.call('HDEL', key, 'w:' .. whose) end
  start, mine, held_by = from, nil, {{}}
end
local spent = tonumber(redis.call('HGET', key, 'spent') or '0')

-- An account is what a process has used and what it holds. What it grew by was used beyond what
-- was granted, and what it shrank by was given back, or granted in an answer that never came.
local late = mine and seq <= mine[2]
local others, back = 0, 0
if not late then
  if told_start ~= start then
    account, held = 0, 0
  else
    local before = heard_account
    if mine then
      before = mine[1]
    elseif generation ~= '' and generation ~= known then
      local floor = tonumber(redis.call('HGET', key, 'floor') or '0')
      if heard_spent > floor then
        spent = spent + heard_spent - floor
        redis.call('HSET', key, 'floor', heard_spent)
      end
    end
    spent = spent + account - before
  end
end
for whose, lease in pairs(held_by) do
  local silent = math.max(0, clock - lease[3])
  if silent > {HOLD} then
    redis.call('HDEL', key, 'w:' .. whose)
  else
    others = others + lease[5]
    -- It may be alive, and then it goes on with its part of what time adds.
    if silent > {GAP} then back = back + count * silent / (to - from) / lease[4] end
  end
end

local room = math.max(1, count * {ROOM})
local line = math.floor(math.min(count, count * (now - from) / (to - from) + room))
local free = line - spent - math.ceil(back)
local reserve = math.max({LEAST}, math.floor(count / (50 * workers)))
reserve = math.max(1, math.min(reserve, math.floor((free + others + held) / (2 * workers))))
if not late then
  if not pending and start == from and free > 0 then
    local below = math.max(0, reserve - held)
    local most = free
    if below < free then most = below + math.ceil((free - below) / 2) end
    if spare > 0 and hungry == 0 then want = math.max(want, below) end
    granted = math.min(want, most)
    account, held, spent = account + granted, held + granted, spent + granted
  end
  local lease = string.format('%d %d %.6f %d %d', account, seq, clock, workers, held)
  redis.call('HSET', key, 'w:' .. worker, lease, 'spent', spent)
  if refused > 0 and granted == 0 then
    redis.call('HSET', key, 'h:' .. worker, string.format('%.6f 1', clock))
  else
    redis.call('HDEL', key, 'h:' .. worker)
  end
end
redis.call('EXPIRE', key, math.ceil(to - now) + 86400)
return {{granted, pending and 1 or 0, workers, hungry, conflict, lost, known,
        string.format('%.6f', now),
        spent, others, reserve, string.format('%.0f', start),
        string.format('%.0f', start == from and to or start)}}
"""
)

RESERVOIR = (
    _BEGIN
    + r"""
local turn, kept = ARGV[8], tonumber(ARGV[9])
local current = string.format('%.0f', math.floor(now / period))
redis.call('HSET', key, 'w:' .. worker, turn .. ' ' .. kept)
local total = 0
local all = redis.call('HGETALL', key)
for i = 1, #all, 2 do
  local of, n = string.match(all[i + 1], '^(%S+) (%d+)$')
  if all[i] == 'w:' .. worker then
    -- what it kept itself, it knows better
  elseif of == current then
    total = total + tonumber(n)
  else
    redis.call('HDEL', key, all[i])
  end
end
redis.call('EXPIRE', key, math.ceil(period * 2) + 60)
return {0, 0, workers, 0, conflict, 0, '', string.format('%.6f', now), current, total}
"""
)

TARGET = (
    _BEGIN
    + rf"""
redis.call('HSET', key, 'w:' .. worker, ARGV[8])
local total = 0
local all = redis.call('HGETALL', key)
for i = 1, #all, 2 do
  if redis.call('ZSCORE', members, string.sub(all[i], 3)) then
    total = total + tonumber(all[i + 1])
  else
    redis.call('HDEL', key, all[i])
  end
end
redis.call('EXPIRE', key, {int(2 * LEASE_SECONDS)})
return {{0, 0, workers, 0, conflict, 0, '', string.format('%.6f', now),
        string.format('%.9g', total)}}
"""
)

SCRIPTS = {"window": WINDOW, "budget": BUDGET, "reservoir": RESERVOIR, "target": TARGET}
SHAS = {  # the names that Redis knows them by
    kind: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    for kind, text in SCRIPTS.items()
}
