-- Token bucket of one rate-limit owner; one call is one atomic decision on Redis's own clock.
--
-- Credit is counted in whole microseconds: one token is worth `interval` of them and time that passes is
-- credit earned, so refilling is an addition and no fraction is ever lost. All numbers stay below 2^53.
--
-- Who is refused under a name has a place in the queue: nobody but those before it is given the tokens it waits for,
-- until a while after the moment it was promised.
--
-- KEYS[1]  hash with level, ts, blocked, interval, places
-- ARGV     1 operation  2 interval  3 capacity (tokens)  4 tokens  5 reserve (tokens)
--          6 seed level  7 seed block (remaining)  8 block (penalise)
--          9 name of the place, none for who has no place  10 how long it is kept after the moment promised
-- returns  { granted, wait, level, blocked for, reserved }   all but the first in microseconds
local op, interval, capacity = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local tokens, reserve = tonumber(ARGV[4]), tonumber(ARGV[5])
local name, kept = ARGV[9] or '', tonumber(ARGV[10] or 0)
local full = capacity * interval
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local stored = redis.call('HMGET', KEYS[1], 'level', 'ts', 'blocked', 'interval', 'places')
local level, ts, blocked, rate = tonumber(stored[1]), tonumber(stored[2]), tonumber(stored[3]), tonumber(stored[4])
if not level then
  -- A new owner, or Redis lost the key: begin where the database last knew the level, never simply full.
  level, ts, blocked, rate = tonumber(ARGV[6]), now, now + tonumber(ARGV[7]), interval
end
if rate ~= interval then level = math.floor(level * interval / rate) end
-- A clock that stepped back earns nothing, and a block keeps what was left of it; a clock far ahead earns at
-- most a full bucket.
local back = math.max(ts - now, 0)
if now > ts then level = level + (now - ts) else blocked = blocked - back end
if level > full then level = full end

-- The places that are still kept, in the order in which they were given.
local places, reserved, mine = {}, 0, nil
for who, count, due, ends, spared in string.gmatch(stored[5] or '', '(%S+) (%d+) (%d+) (%d+) (%d+);') do
  local place = { who = who, tokens = tonumber(count), before = reserved, due = tonumber(due) - back,
                  ends = tonumber(ends) - back, spared = tonumber(spared) }
  if place.ends > now then
    places[#places + 1] = place
    reserved = reserved + place.tokens
    if who == name then mine = place end
  end
end

-- Credit that `count` tokens need behind `before` reserved ones; never more than a full bucket for themselves.
local function needed(count, before) return math.min(count * interval, full) + before * interval end

local function leave(place)
  for n = #places, 1, -1 do
    if places[n] == place then
      table.remove(places, n)
      reserved = reserved - place.tokens
    end
  end
end

local granted, wait = 0, 0
if op == 'acquire' then
  local need = needed(tokens + reserve, mine and mine.before or reserved)
  if mine and now >= mine.due then
    -- The moment promised: kept, whoever else waits, and also where debits came in between.
    need = needed(tokens, 0) - mine.spared
  end
  wait = math.max(need - level, blocked - now, 0)
  if wait == 0 then
    granted = 1
    level = level - tokens * interval
    leave(mine)
  elseif mine then
    if now < mine.due then wait = math.max(math.min(wait, mine.due - now), blocked - now) end
    mine.ends = math.max(mine.ends, now + wait + kept)
  elseif name ~= '' then
    places[#places + 1] = { who = name, tokens = tokens, due = now + wait, ends = now + wait + kept, spared = 0 }
    reserved = reserved + tokens
  else
    -- It may be free before: whoever it is reserved for may not come.
    for _, place in ipairs(places) do wait = math.max(math.min(wait, place.ends - now), blocked - now) end
  end
elseif op == 'debit' then
  -- A request that had to be made before its owner was known; the debt is paid by waiting.
  granted = 1
  local left = math.max(level - tokens * interval, -full)
  for _, place in ipairs(places) do place.spared = place.spared + level - left end
  level = left
elseif op == 'restore' then
  -- Tokens of a place that were not needed after all.
  level = math.min(level + tokens * interval, full)
  leave(mine)
elseif op == 'penalise' then
  level = math.min(level, 0)
  blocked = math.max(blocked, now + math.min(tonumber(ARGV[8]), 86400000000))
  -- What was promised cannot be kept: everybody who waits waits longer, in the same order.
  local before = 0
  for _, place in ipairs(places) do
    local due = now + math.max(needed(place.tokens, before) - level, blocked - now)
    place.due, place.ends, place.spared = due, place.ends + math.max(due - place.due, 0), 0
    before = before + place.tokens
  end
end

if op ~= 'peek' then
  redis.call('HSET', KEYS[1],
    'level', string.format('%.0f', level), 'ts', string.format('%.0f', now),
    'blocked', string.format('%.0f', blocked), 'interval', string.format('%.0f', interval))
  local rest = math.max(full - level, blocked - now, 0)
  if places[1] or (stored[5] or '') ~= '' then
    local text = {}
    for n, place in ipairs(places) do
      text[n] = string.format('%s %d %.0f %.0f %.0f;', place.who, place.tokens, place.due, place.ends, place.spared)
      rest = math.max(rest, place.ends - now)
    end
    redis.call('HSET', KEYS[1], 'places', table.concat(text))
  end
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', rest / 1000 + 60000))
end
return { granted, string.format('%.0f', wait), string.format('%.0f', level),
         string.format('%.0f', math.max(blocked - now, 0)), string.format('%.0f', reserved * interval) }
