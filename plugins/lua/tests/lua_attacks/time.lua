-- Scripts that do not end. Most meet the clock between two instructions; what stays inside one long call of the C
-- library is killed with its process.

--## T01 loops
--## ends: timeout
while true do end

--## T02 loops and swallows every error
--## ends: timeout
while true do pcall(function() while true do end end) end

--## T03 swallows errors at every depth
--## ends: timeout
local function deep(level)
  while true do
    pcall(level > 0 and deep or function() while true do end end, level - 1)
  end
end
deep(20)

--## T04 loops in a coroutine
--## ends: timeout
coroutine.wrap(function() while true do end end)()

--## T05 makes new coroutines that loop, and swallows
--## ends: timeout
while true do
  local thread = coroutine.create(function() while true do end end)
  coroutine.resume(thread)
end

--## T06 loops in the handler of xpcall
--## ends: timeout
xpcall(error, function() while true do end end, "x")

--## T07 loops in a finalizer
--## ends: error metatables with __gc
setmetatable({}, { __gc = function() while true do end end })
while true do local _ = {} end

--## T08 loops when a variable goes out of scope
--## ends: timeout
do
  local guard <close> = setmetatable({}, { __close = function() while true do end end })
end

--## T09 loops while it is being ended
--## ends: timeout
local guard <close> = setmetatable({}, { __close = function() while true do pcall(function() while true do end end) end end })
while true do end

--## T10 matches a pattern that tracks back for ever
--## ends: killed
--## inproc: not offered, pattern matching
return string.find(("a"):rep(30000), (".-"):rep(20) .. "b")

--## T11 matches greedily and tracks back
--## ends: killed
--## inproc: not offered, pattern matching
return string.match(("x"):rep(5000), ("x*"):rep(30) .. "y")

--## T12 repeats nothing very often
--## ends: killed
--## inproc: not offered, string.rep
return #string.rep("", 1 << 50)

--## T13 moves a table that is not there
--## ends: killed
--## inproc: not offered, table.move
return #table.move({}, 1, 1 << 50, 2, {})

--## T14 inserts into a table that lies about its length
--## ends: killed
--## inproc: not offered, table.insert
table.insert(setmetatable({}, { __len = function() return 1 << 50 end }), 1, "x")
return "inserted"

--## T15 removes from a table that lies about its length
--## ends: killed
--## inproc: not offered, table.remove
return table.remove(setmetatable({}, { __len = function() return 1 << 50 end }), 1)

--## T16 joins a table that lies about its length
--## ends: timeout or memory
return #table.concat(setmetatable({}, { __len = function() return 1 << 50 end, __index = function() return "x" end }))

--## T17 unpacks a table that lies about its length
--## ends: error too many results to unpack
return table.unpack(setmetatable({}, { __len = function() return 1 << 30 end }))

--## T18 sorts with a comparison that contradicts itself
--## ends: error invalid order function for sorting
local items = {}
for i = 1, 1000 do items[i] = i % 7 end
table.sort(items, function() return true end)
return "sorted"

--## T19 sorts with a comparison that does not end
--## ends: timeout
table.sort({ 3, 2, 1 }, function() while true do end end)

--## T20 loops in the callback of gsub
--## ends: timeout
return (string.gsub("x", "x", function() while true do end end))

--## T21 tracks back in gsub
--## ends: killed
--## inproc: not offered, pattern matching
return (string.gsub(("a"):rep(20000), ("a-"):rep(12) .. "b", ""))

--## T22 asks an iterator for ever
--## ends: timeout
for _ in string.gmatch("", ".*") do
  for _ in string.gmatch(("a"):rep(1000), "a") do
    while true do end
  end
end

--## T23 loops in __index
--## ends: timeout
return setmetatable({}, { __index = function() while true do end end }).x

--## T24 loops in a comparison
--## ends: timeout
local item = setmetatable({}, { __lt = function() while true do end end })
return item < item

--## T25 loops in __tostring while it prints
--## ends: timeout
print(setmetatable({}, { __tostring = function() while true do end end }))
return 1

--## T26 loops in __concat
--## ends: timeout
return setmetatable({}, { __concat = function() while true do end end }) .. "x"

--## T27 has the host touch what it returned
--## ends: value {"value":1}
return { value = setmetatable({ value = 1 }, {
  __index = function() while true do end end,
  __tostring = function() while true do end end,
  __call = function() while true do end end,
}) }

--## T28 searches plain text the slow way
--## ends: killed
--## inproc: not offered, string.find
local text = ("a"):rep(8000000)
return string.find(text, ("a"):rep(4000000) .. "b", 1, true)

--## T29 compiles a text that takes long to resolve
--## ends: killed
--## inproc: not offered, load
local labels = {}
for i = 1, 32000 do labels[i] = "::l" .. i .. "::a=1 " end
local chunk = load(table.concat(labels) .. ("goto l31999 "):rep(200000))
return chunk == nil

--## T30 feeds the compiler for ever
--## ends: error load: a string is wanted
return load(function() return " " end)

--## T31 calls itself at the end, for ever
--## ends: timeout
local function again() return again() end
return again()

--## T32 passes the turn between two coroutines
--## ends: timeout
local one = coroutine.wrap(function() while true do coroutine.yield() end end)
local other = coroutine.wrap(function() while true do one() coroutine.yield() end end)
while true do other() end

--## T33 fails in the handler of xpcall, again and again
--## ends: timeout
local function handler() error("again") end
while true do xpcall(error, handler, "x") end

--## T34 formats numbers for ever
--## ends: timeout
while true do local _ = string.format("%99.99f", 1e308) end

--## T35 goes 194 calls deep into C, near the limit, and spins where the hook may have no room
--## ends: timeout or value "no room"
local function spin() local x = 0 while true do x = x + 1 end end
local deep
deep = setmetatable({}, { __index = function(_, level)
  if level == 194 then while true do pcall(spin) end end
  return deep[level + 1]
end })
pcall(function() return deep[1] end)
return "no room"

--## T36 follows metatables in a circle
--## ends: error '__index' chain too long
local circle = {}
circle.__index = circle
setmetatable(circle, circle)
return circle.x

--## T37 loops while a coroutine is closed
--## ends: timeout
local thread = coroutine.create(function()
  local guard <close> = setmetatable({}, { __close = function() while true do end end })
  coroutine.yield()
end)
coroutine.resume(thread)
coroutine.close(thread)
return "closed"

--## T38 returns one small table a million times over
--## ends: result too_large or timeout
local doubled = { 1 }
for _ = 1, 40 do doubled = { doubled, doubled } end
return doubled

--## T39 counts characters for ever
--## ends: timeout
local text = ("ä"):rep(100000)
while true do utf8.len(text) end

--## T40 counts to the largest integer
--## ends: timeout
for _ = 1, math.maxinteger do end

--## T41 raises and catches
--## ends: timeout
while true do pcall(error) end

--## T42 catches in a coroutine in a coroutine
--## ends: timeout
local function nest(level)
  while true do
    pcall(coroutine.wrap(function()
      if level > 0 then nest(level - 1) end
      while true do end
    end))
  end
end
nest(20)

--## T43 yields its time away through pcall
--## ends: timeout
local thread = coroutine.wrap(function()
  while true do pcall(coroutine.yield) end
end)
while true do thread() end

--## T44 asks the host for ever
--## ends: timeout or error more than 10000 calls
while true do host.echo(1) end

--## T45 asks the host for ever and swallows
--## ends: timeout
while true do pcall(host.echo, 1) end

--## T46 waits for a host function that takes its time
--## ends: timeout
return host.slow()

--## T47 sorts many items by a comparison in Lua
--## ends: timeout
local items = {}
for i = 1, 200000 do items[i] = (i * 7919) % 200003 end
while true do table.sort(items, function(a, b) return a < b end) end

--## T48 decodes for ever
--## ends: timeout
local text = "[" .. ("1,"):rep(1000) .. "1]"
while true do json.decode(text) end

--## T49 goes 195 calls deep into C, near the limit, and spins where the hook may have no room
--## ends: timeout or value "no room"
local function spin() local x = 0 while true do x = x + 1 end end
local deep
deep = setmetatable({}, { __index = function(_, level)
  if level == 195 then while true do pcall(spin) end end
  return deep[level + 1]
end })
pcall(function() return deep[1] end)
return "no room"

--## T50 goes 196 calls deep into C, near the limit, and spins where the hook may have no room
--## ends: timeout or value "no room"
local function spin() local x = 0 while true do x = x + 1 end end
local deep
deep = setmetatable({}, { __index = function(_, level)
  if level == 196 then while true do pcall(spin) end end
  return deep[level + 1]
end })
pcall(function() return deep[1] end)
return "no room"

--## T51 goes 197 calls deep into C, near the limit, and spins where the hook may have no room
--## ends: timeout or value "no room"
local function spin() local x = 0 while true do x = x + 1 end end
local deep
deep = setmetatable({}, { __index = function(_, level)
  if level == 197 then while true do pcall(spin) end end
  return deep[level + 1]
end })
pcall(function() return deep[1] end)
return "no room"

--## T52 goes 198 calls deep into C, near the limit, and spins where the hook may have no room
--## ends: timeout or value "no room"
local function spin() local x = 0 while true do x = x + 1 end end
local deep
deep = setmetatable({}, { __index = function(_, level)
  if level == 198 then while true do pcall(spin) end end
  return deep[level + 1]
end })
pcall(function() return deep[1] end)
return "no room"

--## T53 looks for the limit of C calls and spins there, catching all it can
--## ends: timeout
local function spin()
  while true do pcall(function() local x = 1 for _ = 1, 100000 do x = x + 1 end end) end
end
local deep
deep = setmetatable({}, { __index = function(_, level)
  local ok = pcall(function() return deep[level + 1] end)
  if not ok then
    while true do pcall(spin) end
  end
  return true
end })
while true do pcall(function() return deep[1] end) end

--## T54 spins at the limit of C calls in a coroutine
--## ends: timeout
local function down(level)
  local ok = pcall(coroutine.wrap(function() return down(level + 1) end))
  while not ok do pcall(coroutine.wrap(function() while true do end end)) end
end
while true do pcall(down, 1) end
