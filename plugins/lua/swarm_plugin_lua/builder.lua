-- The library `swarm` of Blueprints in Lua: plain tables of flow.ir, made and checked where the file asks for them.
--
-- Where a value is wanted, a text that begins with $ is a path; any other text, a number, true, false, null and a table
-- without `op` stand for themselves. Names that Lua reserves end with a dash below: in_, else_, not_, until_.

local FILE, line_of_file, lines, null, array = ...

local swarm = { null = null }

-- checking ----------------------------------------------------------------------------------------------------

local function fail(who, text)
  local line = line_of_file()
  error((line and FILE .. ":" .. line .. ": " or "") .. "swarm." .. who .. ": " .. text, 0)
end

local function made(t)
  lines[t] = line_of_file()
  return t
end

local function is_table(value)
  return type(value) == "table" and value ~= null
end

local function tagged(value, tag)
  return is_table(value) and type(rawget(value, tag)) == "string"
end

local function named(value)
  if value == nil then return "missing" end
  if value == null then return "null" end
  if tagged(value, "kind") then return "a node" end
  if tagged(value, "op") then return "an expression" end
  return "a " .. type(value)
end

-- The fields of a call: by name in one table, or by position. `names` are the fields in the order of their positions.
local function fields(who, names, first, ...)
  local given = {}
  local known = {}
  for place, name in ipairs(names) do known[name], known[name .. "_"], known[place] = name, name, name end
  local by_name = is_table(first) and not tagged(first, "kind") and not tagged(first, "op") and select("#", ...) == 0
  if not by_name then
    local values = { first, ... }
    for place, name in ipairs(names) do given[name] = values[place] end
    if select("#", ...) + 1 > #names then fail(who, "takes " .. #names .. " arguments at most") end
    return given
  end
  for key, value in pairs(first) do
    local name = known[key]
    if not name then fail(who, "has no field " .. tostring(key) .. "; it has " .. table.concat(names, ", ")) end
    given[name] = value
  end
  return given
end

local function text(who, what, value)
  if type(value) ~= "string" or value == "" then fail(who, what .. " is " .. named(value) .. ", not a text") end
  return value
end

local function whole(who, what, value)
  if math.type(value) ~= "integer" or value < 0 then fail(who, what .. " is no whole number from 0") end
  return value
end

-- expressions -------------------------------------------------------------------------------------------------

local function expression(who, what, value)
  if tagged(value, "op") then return value end
  if value == nil or type(value) == "function" or tagged(value, "kind") then
    fail(who, what .. " is " .. named(value) .. ", not a value")
  end
  if type(value) == "string" and value:sub(1, 1) == "$" then return made { op = "path", at = value } end
  return made { op = "lit", value = value }
end

local function path(who, what, value)
  if tagged(value, "op") and value.op == "path" then return value end
  if type(value) ~= "string" or value:sub(1, 1) ~= "$" then
    fail(who, what .. " is " .. named(value) .. ", not a path such as '$.draft'")
  end
  return made { op = "path", at = value }
end

local function expressions(who, ...)
  local values = table.pack(...)
  if values.n == 1 and is_table(values[1]) and not tagged(values[1], "op") then
    values = values[1]
    values.n = #values
  end
  local found = array()
  for place = 1, values.n do found[place] = expression(who, "argument " .. place, values[place]) end
  return found
end

function swarm.path(at) return path("path", "the path", at) end

function swarm.lit(value)
  if value == nil then value = null end
  return made { op = "lit", value = value }
end

for _, op in ipairs { "eq", "ne", "lt", "lte", "gt", "gte", "add", "sub", "mul", "div", "mod" } do
  swarm[op] = function(lhs, rhs)
    return made { op = op, lhs = expression(op, "the left side", lhs), rhs = expression(op, "the right side", rhs) }
  end
end

for _, op in ipairs { "not", "exists", "len" } do
  swarm[op] = function(arg) return made { op = op, arg = expression(op, "the argument", arg) } end
end

for _, op in ipairs { "and", "or" } do
  swarm[op] = function(...) return made { op = op, args = expressions(op, ...) } end
end

swarm["in"] = function(needle, haystack)
  return made {
    op = "in",
    needle = expression("in_", "the needle", needle),
    haystack = expression("in_", "the haystack", haystack),
  }
end

function swarm.call(ref, ...)
  return made { op = "call_extern", ref = text("call", "the function", ref), args = expressions("call", ...) }
end

for _, op in ipairs { "not", "and", "or", "in" } do swarm[op .. "_"] = swarm[op] end

-- nodes -------------------------------------------------------------------------------------------------------

local sequence

-- A node, or a list of nodes, which is a sequence.
local function node(who, what, value)
  if tagged(value, "kind") then return value end
  if is_table(value) and not tagged(value, "op") and not value.gate then return sequence(who, value) end
  fail(who, what .. " is " .. named(value) .. ", not a node such as swarm.step(...)")
end

local function nothing()
  return { kind = "seq", children = array() }
end

-- What follows a gate stands in the branch that it opens.
local function children(who, items, from)
  local found = array()
  for place = from, #items do
    local item = items[place]
    if is_table(item) and item.gate then
      local opened = { kind = "seq", children = children(who, items, place + 1) }
      found[#found + 1] = { kind = "branch", cond = item.gate, ["then"] = opened, ["else"] = item.otherwise }
      lines[found[#found]], lines[opened] = lines[item], lines[item]
      return found
    end
    found[#found + 1] = node(who, "item " .. place, item)
  end
  return found
end

sequence = function(who, items)
  local count, highest = 0, #items
  for key in pairs(items) do
    if math.type(key) ~= "integer" then fail(who, "a list of nodes has no field " .. tostring(key)) end
    count = count + 1
  end
  if count ~= highest then fail(who, "an item of the list is nil") end
  return made { kind = "seq", children = children(who, items, 1) }
end

function swarm.seq(...)
  local items = table.pack(...)
  if items.n == 1 and is_table(items[1]) and not tagged(items[1], "kind") and not items[1].gate then
    return sequence("seq", items[1])
  end
  for place = 1, items.n do
    if items[place] == nil then fail("seq", "item " .. place .. " is missing") end
  end
  items.n = nil
  return sequence("seq", items)
end

function swarm.step(...)
  local given = fields("step", { "ref", "in", "out" }, ...)
  return made {
    kind = "step",
    ref = text("step", "ref", given.ref),
    ["in"] = expression("step", "in_", given["in"]),
    out = path("step", "out", given.out),
  }
end

function swarm.let(...)
  local given = fields("let", { "at", "value" }, ...)
  return made { kind = "let", at = path("let", "at", given.at).at, value = expression("let", "value", given.value) }
end

swarm.assign = swarm.let

function swarm.branch(...)
  local given = fields("branch", { "cond", "then", "else" }, ...)
  return made {
    kind = "branch",
    cond = expression("branch", "cond", given.cond),
    ["then"] = node("branch", "then_", given["then"]),
    ["else"] = given["else"] == nil and nothing() or node("branch", "else_", given["else"]),
  }
end

function swarm.loop(given)
  given = fields("loop", { "counter", "cond", "body", "max" }, given)
  return made {
    kind = "loop",
    counter = path("loop", "counter", given.counter),
    cond = expression("loop", "cond", given.cond),
    body = node("loop", "body", given.body),
    max = whole("loop", "max", given.max),
  }
end

function swarm.fanout(given)
  given = fields("fanout", { "items", "bind", "body", "join", "out", "max_concurrency" }, given)
  return made {
    kind = "fanout",
    items = expression("fanout", "items", given.items),
    bind = path("fanout", "bind", given.bind),
    body = node("fanout", "body", given.body),
    join = given.join == nil and "all" or text("fanout", "join", given.join),
    out = path("fanout", "out", given.out),
    max_concurrency = given.max_concurrency,
  }
end

function swarm.try(...)
  local given = fields("try", { "body", "catch", "err_at" }, ...)
  return made {
    kind = "try",
    body = node("try", "body", given.body),
    catch = node("try", "catch", given.catch),
    err_at = given.err_at ~= nil and path("try", "err_at", given.err_at) or nil,
  }
end

-- combinations ------------------------------------------------------------------------------------------------

-- The body is run until the condition holds, `max` times at most; then `otherwise`, if it still does not hold.
function swarm.retry(given)
  given = fields("retry", { "body", "until", "max", "counter", "otherwise" }, given)
  local counter = path("retry", "counter", given.counter or "$.tries")
  local missed = swarm["not"](expression("retry", "until_", given["until"]))
  local loop = swarm.loop {
    counter = counter,
    cond = swarm["or"](swarm.eq(counter, 0), missed), -- the first time there is nothing yet to look at
    body = node("retry", "body", given.body),
    max = whole("retry", "max", given.max),
  }
  if given.otherwise == nil then return loop end
  return swarm.seq(loop, swarm.branch(missed, node("retry", "otherwise", given.otherwise)))
end

-- In a sequence: what follows is run only when the condition holds, else `otherwise`.
function swarm.gate(...)
  local given = fields("gate", { "cond", "otherwise" }, ...)
  local otherwise = given.otherwise == nil and nothing() or node("gate", "otherwise", given.otherwise)
  return made { gate = expression("gate", "cond", given.cond), otherwise = otherwise }
end

-- the rest of a Blueprint -------------------------------------------------------------------------------------

function swarm.blueprint(given)
  if not is_table(given) then fail("blueprint", "a table with id, flow and agents is wanted") end
  text("blueprint", "id", given.id)
  given.flow = node("blueprint", "flow", given.flow)
  return made(given)
end

function swarm.agent(name, given)
  if is_table(name) then name, given = name.name, name end
  given = given or {}
  if not is_table(given) then fail("agent", "its fields are " .. named(given) .. ", not a table") end
  given.name = text("agent", "name", name)
  text("agent", "kind", given.kind)
  return made(given)
end

local function directive(key, who, takes_more)
  return function(value, more)
    if more ~= nil and not (takes_more and is_table(more)) then fail(who, "takes a path only") end
    local given = more or {}
    given[key] = text(who, "the path", value)
    return made(given)
  end
end

swarm.file = directive("$file", "file", false)
swarm.agent_md = directive("$agent_md", "agent_md", true)
swarm.agents_md = directive("$agents_md", "agents_md", true)

function swarm.array(items) return array(items) end

function swarm.object(items)
  items = items or {}
  if not is_table(items) or #items > 0 then fail("object", "a table with names as keys is wanted") end
  return items
end

return setmetatable(swarm, {
  __index = function(_, name) fail(tostring(name), "there is nothing of this name") end,
})
