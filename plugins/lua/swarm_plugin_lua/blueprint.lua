-- Runs a Blueprint's file and gives the document that it makes, with the lines of what the builder made.
--
-- What the file may use is the same each time it is read: no chance, no addresses, no order of keys but the sorted one.

local given, null = _CTX, null
local array, encode = json.array, json.encode
local error, getmetatable, load, pcall, rawget, rawset, setmetatable, type =
  error, getmetatable, load, pcall, rawget, rawset, setmetatable, type
local raw_next, raw_tostring, raw_format = next, tostring, string.format
local concat, find, gsub, match, sub = table.concat, string.find, string.gsub, string.match, string.sub
local math_type, pack, unpack, tonumber = math.type, table.pack, table.unpack, tonumber

local FILE = given.name
local RETURN = "return a flow, a Blueprint, or {bp = flow, ctx = initial ctx}"
local ABSENT = "is not available in Lua Blueprints"

_PROMPT, _CTX, _META, _AGENT, _TASK_ID, _ATTEMPT, _KEY, host = nil, nil, nil, nil, nil, nil, nil, nil

-- the same each time ------------------------------------------------------------------------------------------

local RANKS = { number = 1, string = 2, boolean = 3 }

local function rank(key)
  local known = RANKS[type(key)]
  if not known then error("keys that are a " .. type(key) .. " have no order that is the same each time", 0) end
  return known
end

local function before(one, other)
  local left, right = rank(one), rank(other)
  if left ~= right then return left < right end
  if left == 3 then return not one and other end
  return one < other
end

-- A merge sort: the library's own chooses by the clock which of two equals comes first.
local function sort(list, less)
  less = less or function(one, other) return one < other end
  local count = #list
  local from, to, width = list, {}, 1
  while width < count do
    for start = 1, count, 2 * width do
      local middle, stop = start + width, start + 2 * width
      local left, right = start, middle
      for place = start, (stop - 1 < count) and stop - 1 or count do
        local take_left = left < middle and left <= count
          and not (right < stop and right <= count and less(from[right], from[left]))
        if take_left then to[place], left = from[left], left + 1 else to[place], right = from[right], right + 1 end
      end
    end
    from, to, width = to, (to == list) and {} or from, 2 * width
    if to == list then to = {} end
  end
  if from ~= list then for place = 1, count do list[place] = from[place] end end
end

local function keys_of(t)
  local keys = {}
  for key in raw_next, t do keys[#keys + 1] = key end
  sort(keys, before)
  return keys
end

local function sorted_pairs(t)
  local meta = getmetatable(t)
  if type(meta) == "table" and meta.__pairs then return meta.__pairs(t) end
  if type(t) ~= "table" then error("pairs: a table is wanted", 2) end
  local keys, place = keys_of(t), 0
  return function()
    while true do
      place = place + 1
      local key = keys[place]
      if key == nil then return nil end
      local value = rawget(t, key)
      if value ~= nil then return key, value end
    end
  end, t, nil
end

local function sorted_next(t, key)
  if type(t) ~= "table" then error("next: a table is wanted", 2) end
  local nearest
  for other in raw_next, t do
    if (key == nil or before(key, other)) and (nearest == nil or before(other, nearest)) then nearest = other end
  end
  if nearest == nil then return nil end
  return nearest, rawget(t, nearest)
end

local ADDRESSED = { table = true, ["function"] = true, thread = true, userdata = true }

local function plain_tostring(value)
  local text = raw_tostring(value)
  return ADDRESSED[type(value)] and gsub(text, ": 0x%x+$", "") or text
end

local function plain_format(pattern, ...)
  if type(pattern) == "string" and find(gsub(pattern, "%%%%", ""), "%%[-+ #0-9.]*p") then
    error("string.format: %p " .. ABSENT, 2)
  end
  local arguments = pack(...)
  for place = 1, arguments.n do
    if ADDRESSED[type(arguments[place])] then arguments[place] = plain_tostring(arguments[place]) end
  end
  local ok, text = pcall(raw_format, pattern, unpack(arguments, 1, arguments.n))
  if not ok then error(text, 2) end
  return text
end

local function absent(name)
  return function() error(name .. " " .. ABSENT, 2) end
end

local function absent_library(name)
  return setmetatable({}, { __index = function(_, key) error(name .. "." .. plain_tostring(key) .. " " .. ABSENT, 2) end })
end

pairs, next, tostring, string.format, table.sort = sorted_pairs, sorted_next, plain_tostring, plain_format, sort
math.random, math.randomseed = absent("math.random"), absent("math.randomseed")
for _, name in sorted_pairs({ "collectgarbage", "dofile", "loadfile", "loadstring", "warn" }) do
  _G[name] = absent(name)
end
for _, name in sorted_pairs({ "debug", "io", "os", "package" }) do _G[name] = absent_library(name) end

-- the builder -------------------------------------------------------------------------------------------------

local lines = {} -- table that the builder made -> the line of the file that asked for it

-- The first line of the file on the stack; `error` puts it in front of its message.
local function line_of_file()
  for level = 4, 12 do
    local _, where = pcall(error, "", level)
    local line = type(where) == "string" and sub(where, 1, #FILE + 1) == FILE .. ":" and match(where, "(%d+): $")
    if line then return tonumber(line) end
  end
end

local library

function require(name)
  if name ~= "swarm" then error('require: only "swarm" is here; ' .. plain_tostring(name) .. " " .. ABSENT, 2) end
  if not library then library = load(given.library, "=swarm")(FILE, line_of_file, lines, null, array) end
  return library
end

-- the document ------------------------------------------------------------------------------------------------

local LISTS = { "agents", "operators", "subprocesses" }
local MOST_PLACES = 20000

local places, open, seen = {}, {}, 0

local function empty_list(holder, key)
  local value = rawget(holder, key)
  if type(value) == "table" and value ~= null and raw_next(value) == nil and getmetatable(value) == nil then
    array(value)
  end
end

-- Names that Lua reserves are written with a dash below; a list without items is one.
local function spell(t)
  if type(rawget(t, "kind")) == "string" then
    for _, name in sorted_pairs({ "in", "else" }) do
      if rawget(t, name) == nil then rawset(t, name, rawget(t, name .. "_")) end
      if rawget(t, name .. "_") == rawget(t, name) then rawset(t, name .. "_", nil) end
    end
    empty_list(t, "children")
  elseif type(rawget(t, "op")) == "string" then
    empty_list(t, "args")
  end
end

local function note(t, place)
  if type(t) ~= "table" or t == null or open[t] or seen > MOST_PLACES then return end
  seen, open[t] = seen + 1, true
  if lines[t] then places[#places + 1] = { place, lines[t] } end
  if rawget(t, "op") ~= "lit" then
    spell(t)
    for key, value in raw_next, t do
      if type(key) == "string" and find(key, "^[%a_][%w_-]*$") and #key <= 80 then
        note(value, place .. "." .. key)
      elseif math_type(key) == "integer" then
        note(value, place .. "[" .. key - 1 .. "]")
      end
    end
  end
  open[t] = nil
end

local function document_of(made)
  if type(made) ~= "table" or made == null then
    error("the file returned " .. (made == nil and "nothing" or "a " .. type(made)) .. "; " .. RETURN, 0)
  end
  local ctx
  if rawget(made, "bp") ~= nil then made, ctx = rawget(made, "bp"), rawget(made, "ctx") end
  if type(made) ~= "table" or made == null then error("bp is a " .. type(made) .. "; " .. RETURN, 0) end
  if rawget(made, "flow") == nil and type(rawget(made, "kind")) == "string" then
    made = { id = given.id, flow = made }
  elseif rawget(made, "flow") == nil then
    error("the table that the file returned is neither a node nor has it a flow; " .. RETURN, 0)
  end
  if rawget(made, "default_init_ctx") == nil then rawset(made, "default_init_ctx", ctx) end
  for _, key in sorted_pairs(LISTS) do empty_list(made, key) end
  return made
end

-- What has no form in JSON is told with the line of the nearest part that the builder made.
local function check(document)
  local ok, why = pcall(encode, document)
  if ok then return end
  if type(why) ~= "string" or sub(why, 1, 13) ~= "json.encode: " then error(why, 0) end
  why = sub(why, 14)
  local place, nearest, line = match(why, "^[%a_]+ at (%S+): "), "", nil
  for _, known in raw_next, places do
    local here = known[1]
    if place and #here > #nearest and sub(place, 1, #here) == here then nearest, line = here, known[2] end
  end
  error((line and FILE .. ":" .. line .. ": " or "") .. why, 0)
end

local chunk, problem = load(given.source, "=" .. FILE)
if not chunk then error(problem, 0) end
local document = document_of((chunk()))
note(document, "$")
check(document)
return { value = { document = document, places = array(places) } }
