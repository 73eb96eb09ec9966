"""The script by which processes lease tokens from Redis: one call is atomic, and its only clock is the server's.

Every limit is one hash. It has a generation, the moment it was made: a Redis that lost its data makes a new one. Who
knows another generation tells all that it used lately, not only what it used while it was away, and until `GRACE`
seconds have gone by nothing is granted, so that everyone had the time to tell. So a restart of Redis forgets nothing
that a living process remembers.

A *window* (for `at_most`) holds what was granted by slots of a sixteenth of the period and grants while the last
seventeen slots, which cover any window of one period, hold less than the limit. A *budget* holds what was spent in
the calendar period of UTC, and grants up to the even line, as `budgets.py` does. A *target* (of an adaptive rate)
holds every worker's traffic.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from asgi_sentry._sampling.budgets import ROOM

SLOTS = 16
GRACE = 2.0
MEMBER_SECONDS = 15
"""After which a worker that was not heard of counts as gone."""

LEASE = r"""
local kind, count, period = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local worker, generation = ARGV[4], ARGV[5]
local want, since, all, told_start = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local demand, room, grace, member = ARGV[10], tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local parts, slots = tonumber(ARGV[14]), tonumber(ARGV[15])
local key, members = KEYS[1], KEYS[2]

local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000

redis.call('ZADD', members, now, worker)
redis.call('ZREMRANGEBYSCORE', members, '-inf', now - member)
redis.call('EXPIRE', members, member * 2)
local workers = redis.call('ZCARD', members)
local lease = math.max(1, math.ceil(count / (parts * workers)))

local known = redis.call('HGET', key, 'gen')
if not known then
  known = string.format('%.6f', now)
  redis.call('HSET', key, 'gen', known)
end
local report = since
if known ~= generation then report = all end
local pending = now < tonumber(known) + grace

-- The calendar month that holds a moment (days to civil date: Howard Hinnant's algorithm).
local function month()
  local days = math.floor(now / 86400)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
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

local granted, used, from, to, total = 0, 0, 0, 0, 0
if kind == 'window' then
  local slot = math.floor(now / (period / slots))
  if report > 0 then redis.call('HINCRBY', key, slot, report) end
  local held = redis.call('HGETALL', key)
  for i = 1, #held, 2 do
    local each = tonumber(held[i])
    if each then
      -- One far in the future was left by a clock that was set back since.
      if each < slot - slots or each > slot + slots then
        redis.call('HDEL', key, held[i])
      else
        used = used + tonumber(held[i + 1])
      end
    end
  end
  if not pending then
    granted = math.max(0, math.min(want, lease, count - used))
    if granted > 0 then
      redis.call('HINCRBY', key, slot, granted)
      used = used + granted
    end
  end
  redis.call('EXPIRE', key, math.ceil(period * 2) + 60)
elseif kind == 'budget' then
  if period > 0 then
    from = math.floor(now / period) * period
    to = from + period
  else
    from, to = month()
  end
  -- A clock that was set back does not begin an old period anew.
  local start = tonumber(redis.call('HGET', key, 'start') or '-1')
  if from > start then
    redis.call('HSET', key, 'start', string.format('%.0f', from), 'spent', 0)
    start = from
  end
  used = tonumber(redis.call('HGET', key, 'spent') or '0')
  if told_start == start and report ~= 0 then used = redis.call('HINCRBY', key, 'spent', report) end
  if not pending and start == from then
    local line = count * (now - from) / (to - from) + math.max(1, count * room)
    granted = math.max(0, math.min(want, lease, math.floor(math.min(count, line)) - used))
    if granted > 0 then used = redis.call('HINCRBY', key, 'spent', granted) end
  end
  redis.call('EXPIRE', key, math.ceil(to - now) + 86400)
else
  redis.call('HSET', key, 'w:' .. worker, demand)
  local held = redis.call('HGETALL', key)
  for i = 1, #held, 2 do
    local name = string.match(held[i], '^w:(.*)$')
    if name then
      if redis.call('ZSCORE', members, name) then
        total = total + tonumber(held[i + 1])
      else
        redis.call('HDEL', key, held[i])
      end
    end
  end
  redis.call('EXPIRE', key, member * 2)
end
return {granted, pending and 1 or 0, workers, lease, used, known, string.format('%.6f', now),
        string.format('%.0f', from), string.format('%.0f', to), string.format('%.9g', total)}
"""


def arguments(
    kind: str,
    count: int,
    period: float,
    worker: str,
    *,
    generation: str = "",
    want: int = 0,
    since: int = 0,
    used: int = 0,
    start: float = 0,
    demand: float = 0,
    parts: int = 1,
) -> list[Any]:
    """In the order of `LEASE`; a `period` of 0 is the calendar month."""
    first = [kind, count, period, worker, generation, want, since, used, start]
    return [*first, f"{demand:.6f}", ROOM, GRACE, MEMBER_SECONDS, parts, SLOTS]


class Answer(NamedTuple):
    """What the script returns; times in seconds of the server's clock."""

    granted: int
    pending: bool
    workers: int
    lease: int
    used: int
    generation: str
    now: float
    start: float
    end: float
    demand: float

    @classmethod
    def read(cls, raw: list[int | bytes]) -> Answer:
        """From redis-py."""
        granted, pending, workers, lease, used = (int(value) for value in raw[:5])
        generation, *floats = (value.decode() if isinstance(value, bytes) else str(value) for value in raw[5:])
        now, start, end, demand = (float(value) for value in floats)
        return cls(granted, bool(pending), workers, lease, used, generation, now, start, end, demand)
