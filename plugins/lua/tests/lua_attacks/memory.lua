-- Scripts that want more memory than there is, in Lua, in its stack, in the stack of C, or in the host.

--## M01 doubles a text
--## ends: memory
local text = "x"
while true do text = text .. text end

--## M02 fills a table
--## ends: memory or timeout
local items = {}
for i = 1, math.maxinteger do items[i] = i end

--## M03 repeats a text
--## ends: memory
return #("x"):rep(1 << 30)

--## M04 repeats a text more often than numbers go
--## ends: error resulting string too large
return #("x"):rep(math.maxinteger)

--## M05 keeps coroutines
--## ends: memory or timeout
local threads = {}
for i = 1, math.maxinteger do
  threads[i] = coroutine.create(function() coroutine.yield() end)
  coroutine.resume(threads[i])
end

--## M06 keeps closures
--## ends: memory or timeout
local kept = {}
for i = 1, math.maxinteger do kept[i] = function() return i end end

--## M07 calls itself
--## ends: memory or error stack overflow
local function down() return 1 + down() end
return down()

--## M08 calls itself through gsub
--## ends: error C stack overflow
local function down() return (string.gsub("x", "x", down)) end
return down()

--## M09 calls itself through a metamethod
--## ends: error C stack overflow
local down = setmetatable({}, {})
getmetatable(down).__index = function(t, key) return t[key .. "x"] end
return down.x

--## M10 calls itself through tostring
--## ends: error C stack overflow
local down = setmetatable({}, {})
getmetatable(down).__tostring = function(t) return tostring(t) end
return tostring(down)

--## M11 calls itself through sort
--## ends: error C stack overflow
local function down() table.sort({ 2, 1 }, down) return true end
return down()

--## M12 calls itself through pcall
--## ends: value "ended" or error C stack overflow or memory or timeout
local function down() return pcall(down) end
down()
return "ended"

--## M13 resumes coroutines in coroutines
--## ends: value "ended" or error C stack overflow
local function down() return coroutine.wrap(down)() end
pcall(down)
return "ended"

--## M14 closes a stack of guards
--## ends: value "ended" or error or memory
local function down(level)
  local guard <close> = setmetatable({}, { __close = function() end })
  if level > 0 then down(level - 1) end
end
pcall(down, 150)
return "ended"

--## M15 nests parentheses
--## ends: value true
return load("return " .. ("("):rep(100000) .. "1" .. (")"):rep(100000)) == nil

--## M16 nests tables in source
--## ends: value true
return load("return " .. ("{"):rep(100000) .. ("}"):rep(100000)) == nil

--## M17 uses more names than a function has room for
--## ends: value true
local names = {}
for i = 1, 300 do names[i] = "local v" .. i .. " = " .. i end
return load(table.concat(names, "\n")) == nil

--## M18 joins a large table
--## ends: memory
local items = {}
for i = 1, 1000 do items[i] = ("x"):rep(60000) end
return #table.concat(items) + #table.concat(items, ",")

--## M19 fills the stack with values
--## ends: error
return select("#", table.unpack({}, 1, 999999)) + select("#", table.unpack({}, 1, 1000001))

--## M20 returns more than a reply may have
--## ends: result too_large
return ("x"):rep(2000000)

--## M21 returns many small things
--## ends: result too_large or timeout or memory
local items = {}
for i = 1, 500000 do items[i] = { i } end
return items

--## M22 returns a text that grows when it is written down
--## ends: result too_large
return ("\1"):rep(500000)

--## M23 returns very many keys
--## ends: result too_large or memory or timeout
local items = {}
for i = 1, 300000 do items["key" .. i] = i end
return items

--## M24 raises a very long text
--## ends: error xxxx
error(("x"):rep(30000000), 0)

--## M25 prints very long texts
--## ends: value 1
local text = ("x"):rep(1000):rep(10000)
for _ = 1, 20 do print(text, text) end
return 1

--## M26 fills the memory, then has the host bring more
--## ends: memory or value "lived"
local full = {}
pcall(function()
  for i = 1, math.maxinteger do full[i] = ("x"):rep(100000) .. i end
end)
pcall(host.echo, ("y"):rep(100000))
return "lived"

--## M27 fills the memory to the last byte and returns
--## ends: memory or value "lived"
local full, size = {}, 1 << 24
while size > 16 do
  if not pcall(function() full[#full + 1] = ("x"):rep(size) .. #full end) then size = size // 2 end
end
return "lived"

--## M28 catches the lack of memory, for ever
--## ends: timeout or memory
while true do
  pcall(function()
    local items = {}
    for i = 1, math.maxinteger do items[i] = ("x"):rep(1000000) .. i end
  end)
end

--## M29 gets a new budget with every call of the host
--## ends: memory or timeout
local kept = {}
for i = 1, math.maxinteger do
  kept[i] = ("x"):rep(10000000) .. i
  host.echo(i)
end

--## M30 sends a large argument to the host
--## ends: error host.echo: arguments: too_large
return host.echo(("x"):rep(5000000))

--## M31 has the host return much
--## ends: error host.flood returned what cannot cross
return host.flood()

--## M32 decodes what is nested very deeply
--## ends: error json.decode: the text is no JSON that Lua can hold
return json.decode(("["):rep(100000))

--## M33 decodes many small things
--## ends: error json.decode: the text is larger
return json.decode("[" .. ("[],"):rep(1000000) .. "[]]")

--## M34 decodes numbers that no computer has
--## ends: error json.decode: the text is no JSON that Lua can hold
return json.decode("1" .. ("0"):rep(5000))

--## M35 encodes a large text
--## ends: error json.encode: too_large
return json.encode(("x"):rep(20000000))

--## M36 builds a pattern that is too complex
--## ends: error
return string.find(("a"):rep(300000), ("a?"):rep(100) .. ("(a"):rep(40))

--## M37 makes a table by count
--## ends: memory or error
return #table.pack(table.unpack({}, 1, 900000)) + #{ ("x"):rep(64 * 1024 * 1024) }

--## M38 decodes again and again to grow past the limit
--## ends: memory or timeout
local kept, text = {}, "[" .. ("[],"):rep(300000) .. "[]]"
for i = 1, math.maxinteger do kept[i] = json.decode(text) end
