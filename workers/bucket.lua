-- Token bucket of one rate-limit owner; one call is one atomic decision on Redis's own clock.
--
-- Credit is counted in whole microseconds: one token is worth `interval` of them and time that passes is
-- credit earned, so refilling is an addition and no fraction is ever lost. All numbers stay below 2^53.
--
-- KEYS[1]  hash with level, ts, blocked, interval
-- ARGV     1 operation  2 interval  3 capacity (tokens)  4 tokens  5 floor (tokens)
--          6 seed level  7 seed block (remaining)  8 block (penalise)
-- returns  { granted, wait, level, blocked for }   all but the first in microseconds
local op, interval, capacity = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local tokens, floor = tonumber(ARGV[4]), tonumber(ARGV[5])
local full = capacity * interval
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local stored = redis.call('HMGET', KEYS[1], 'level', 'ts', 'blocked', 'interval')
local level, ts, blocked, rate = tonumber(stored[1]), tonumber(stored[2]), tonumber(stored[3]), tonumber(stored[4])
if not level then
  -- A new owner, or Redis lost the key: begin where the database last knew the level, never simply full.
  level, ts, blocked, rate = tonumber(ARGV[6]), now, now + tonumber(ARGV[7]), interval
end
if rate ~= interval then level = math.floor(level * interval / rate) end
-- A clock that stepped back earns nothing, and a block keeps what was left of it; a clock far ahead earns at
-- most a full bucket.
if now > ts then level = level + (now - ts) else blocked = blocked - (ts - now) end
if level > full then level = full end

local granted, wait = 0, 0
if op == 'acquire' then
  local need = (tokens + floor) * interval
  if need > full then need = full end
  wait = math.max(need - level, blocked - now, 0)
  if wait == 0 then
    granted = 1
    level = level - tokens * interval
  end
elseif op == 'debit' then
  -- A request that had to be made before its owner was known; the debt is paid by waiting.
  granted = 1
  level = math.max(level - tokens * interval, -full)
elseif op == 'penalise' then
  level = math.min(level, 0)
  blocked = math.max(blocked, now + math.min(tonumber(ARGV[8]), 86400000000))
end

if op ~= 'peek' then
  redis.call('HSET', KEYS[1],
    'level', string.format('%.0f', level), 'ts', string.format('%.0f', now),
    'blocked', string.format('%.0f', blocked), 'interval', string.format('%.0f', interval))
  local rest = math.max(full - level, blocked - now, 0)
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', rest / 1000 + 60000))
end
return { granted, string.format('%.0f', wait), string.format('%.0f', level),
         string.format('%.0f', math.max(blocked - now, 0)) }
