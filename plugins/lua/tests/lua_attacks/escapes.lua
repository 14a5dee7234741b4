-- Ways out of the sandbox: libraries that are not there, objects of the host, metatables, names that look like Python's.
-- `ends:` says how each must end: `error TEXT`, `result NAME`, `value JSON`, `memory`, `timeout`, or `killed` (a timeout
-- that the process could not notice by itself). `inproc:` says so where the engine's own process cannot contain it.

--## E01 reads the registry
--## ends: error debug.getregistry is not available in Lua workers
return debug.getregistry()

--## E02 takes the time limit's hook away
--## ends: error debug.sethook is not available
debug.sethook()
return "unhooked"

--## E03 looks for the prelude's functions in the upvalues of pcall
--## ends: error debug.getupvalue is not available
local found = {}
for i = 1, 50 do
  local name, value = debug.getupvalue(pcall, i)
  if not name then break end
  found[#found + 1] = name
end
return found

--## E04 gives nil a metatable
--## ends: error debug.setmetatable is not available
debug.setmetatable(nil, { __index = function() return "owned" end })
return (nil).x

--## E05 reads a file
--## ends: error io.open is not available in Lua workers
return io.open("/etc/passwd"):read("a")

--## E06 reads a file line by line
--## ends: error io.lines is not available
local lines = {}
for line in io.lines("/etc/hostname") do lines[#lines + 1] = line end
return lines

--## E07 writes a file
--## ends: error io.open is not available
local file = io.open("@SCRATCH@/written", "w")
file:write("owned")
file:close()
return "written"

--## E08 runs a program and reads what it prints
--## ends: error io.popen is not available
return io.popen("id"):read("a")

--## E09 runs a program
--## ends: error os.execute is not available
return os.execute("touch @SCRATCH@/executed")

--## E10 reads the engine's environment
--## ends: error os.getenv is not available
return os.getenv("SWARM_LUA_CANARY")

--## E11 ends the process that it runs in
--## ends: error os.exit is not available
os.exit(0, true)

--## E12 removes a file
--## ends: error os.remove is not available
return os.remove("@SCRATCH@/kept")

--## E13 asks for a module that is part of Lua
--## ends: error require is not available in Lua workers
local os = require("os")
return os.time()

--## E14 asks for the foreign function interface
--## ends: error require is not available
local ffi = require("ffi")
return ffi.C.getpid()

--## E15 loads a shared object
--## ends: error package.loadlib is not available
return package.loadlib("libc.so.6", "system")

--## E16 changes where modules come from
--## ends: error package.cpath is not available
package.cpath = "@SCRATCH@/?.so"
return "changed"

--## E17 puts a searcher in front
--## ends: error package.searchers is not available
table.insert(package.searchers, 1, function() return function() return "owned" end end)
return require("anything")

--## E18 runs a file
--## ends: error dofile is not available in Lua workers
local value = dofile("@SCRATCH@/kept")
return value

--## E19 loads a file
--## ends: error loadfile is not available in Lua workers
local chunk = loadfile("@SCRATCH@/kept")
return chunk()

--## E20 evaluates Python
--## ends: error attempt to index a nil value (global 'python')
return python.eval("__import__('os').getpid()")

--## E21 reaches Python's built-in functions
--## ends: error attempt to index a nil value (global 'python')
return python.builtins.open("/etc/passwd").read()

--## E22 iterates over a Python object
--## ends: error attempt to index a nil value (global 'python')
for item in python.iter(host) do print(item) end
return "iterated"

--## E23 loads bytecode
--## ends: value "refused"
local chunk = load("\27Lua" .. ("\0"):rep(100), "x", "b")
return chunk and "loaded" or "refused"

--## E24 loads bytecode and allows both modes
--## ends: value "refused"
local chunk, why = load("\27LuaT\0\25\147\r\n\26\n\4\8\8", "x", "bt")
return (chunk == nil and why:find("binary chunk", 1, true)) and "refused" or "loaded"

--## E25 dumps a function to change its bytecode
--## ends: error string.dump is not available in Lua workers
local code = string.dump(function() return 1 end)
return #code

--## E26 dumps a function by way of a text's methods
--## ends: error string.dump is not available
local dump = ("").dump
local code = dump(function() return 1 end)
return #code

--## E27 takes the metatable of all texts
--## ends: value "string"
return getmetatable("")

--## E28 replaces the metatable of all texts
--## ends: error bad argument #1
setmetatable("", { __index = function() return "owned" end })
return ("").x

--## E29 asks for the environments of old
--## ends: value [true,true]
return { getfenv == nil, setfenv == nil }

--## E30 makes its own environment and looks for the host's names in it
--## ends: value [true,true,true]
local seen = {}
do
  local _ENV = setmetatable({}, { __index = _ENV })
  seen = { _G.python == nil, _G.lupa == nil, arg == nil }
end
return seen

--## E31 looks for the host's globals in a loaded chunk
--## ends: value [true,true]
local same, foreign = load("return _G, python")()
return { same == _G, foreign == nil }

--## E32 loads a chunk without an environment
--## ends: value true
return load("return _G", "x", "t", nil)() == _G

--## E33 walks everything it can reach and looks for objects of the host
--## ends: value {"foreign":0}
local seen, foreign = {}, 0
local function walk(value)
  local kind = type(value)
  if kind == "userdata" then foreign = foreign + 1 end
  if kind ~= "table" or seen[value] then return end
  seen[value] = true
  for key, item in next, value do
    walk(key)
    walk(item)
  end
  local metatable = getmetatable(value)
  walk(metatable)
end
walk(_G)
walk(_ENV)
walk({ coroutine.running() })
return { foreign = foreign }

--## E34 looks at a host function as if it were a Python object
--## ends: error attempt to index a function value
return host.echo.__globals__

--## E35 asks the table of host functions for a class
--## ends: value [true,true]
return { host.__class__ == nil, getmetatable(host) == nil }

--## E36 gives a host function a table with metamethods
--## ends: value [[{"plain":1}]]
local trap = setmetatable({ plain = 1 }, {
  __index = function() error("reached") end,
  __pairs = function() error("reached") end,
  __len = function() error("reached") end,
})
return { host.echo(trap) }

--## E37 catches what a host function raised and looks into it
--## ends: value ["string",true,false]
local _, raised = pcall(host.fail)
return { type(raised), raised:find("host.fail failed (ValueError)", 1, true) ~= nil, raised:find("secret", 1, true) ~= nil }

--## E38 gives a host function a text that Python would format
--## ends: value ["{0.__class__.__mro__}"]
return host.echo("{0.__class__.__mro__}")

--## E39 calls a function of the host that it was not given
--## ends: error attempt to call a nil value (field 'impure')
return host.impure()

--## E40 gives a host function another function
--## ends: error host.echo: arguments: unsupported_type at $[0]: a function has no form in JSON
return host.echo(print)

--## E41 switches garbage collection off
--## ends: error collectgarbage is not available in Lua workers
collectgarbage("stop")
return "stopped"

--## E42 switches warnings on, which go to stderr
--## ends: error warn is not available in Lua workers
warn("@on")
warn("hello")
return "warned"

--## E43 makes every missing global raise, so that the host trips over it
--## ends: value 1
setmetatable(_G, { __index = function() error("tripped") end })
return 1

--## E44 puts its own traceback where the host might look
--## ends: error first
debug = { traceback = function() while true do end end }
_G.debug = debug
error("first", 0)

--## E45 replaces the functions that write results down
--## ends: value {"a":[1,"x"]}
string.format, string.gsub, table.concat, table.sort = nil, nil, nil, nil
next, pairs, ipairs, type, rawget, tostring, select = nil, nil, nil, nil, nil, nil, nil
math.type, utf8.len, string.rep = nil, nil, nil
return { a = { 1, "x" } }

--## E46 replaces pcall and error
--## ends: error the real one
local raise = error
pcall = function() return true, "fooled" end
error = function() end
raise("the real one", 0)

--## E47 uses a finalizer
--## ends: error metatables with __gc are not available in Lua workers
setmetatable({}, { __gc = function() while true do end end })
return "set"

--## E48 puts the finalizer in later
--## ends: value "ended"
local metatable = {}
for _ = 1, 1000 do setmetatable({}, metatable) end
metatable.__gc = function() while true do end end
local waste = {}
for i = 1, 100000 do waste[i % 10] = { i } end
return "ended"

--## E49 marks a table with __gc that says it has none
--## ends: error metatables with __gc
local metatable = setmetatable({ __gc = false }, { __index = function() return nil end })
setmetatable({}, metatable)
return "set"

--## E50 returns a table whose fields are made up by metamethods
--## ends: value {"real":1}
return setmetatable({ real = 1 }, {
  __index = function() while true do end end,
  __pairs = function() while true do end end,
  __len = function() return 2 ^ 50 end,
  __metatable = { fooled = true },
})

--## E51 returns what hides its metatable and claims to be an array
--## ends: value {}
return setmetatable({}, { __metatable = "array", __name = "array" })

--## E52 changes the null of JSON
--## ends: value [null,true]
local ok = pcall(function() null.value = 5 end)
rawset(null, "value", 5)
return { null, not ok }

--## E53 changes the metatable of arrays
--## ends: error cannot change a protected metatable
setmetatable(json.array(), { __index = function() return "owned" end })
return "changed"

--## E54 uses keys that mean something in Python
--## ends: value {"__class__":"x","__init__":{"__globals__":1}}
return { __class__ = "x", __init__ = { __globals__ = 1 } }

--## E55 looks like a reference of the engine's
--## ends: value {"$file":"/etc/passwd","role":"operator"}
return { ["$file"] = "/etc/passwd", role = "operator" }

--## E56 yields out of the script into the host
--## ends: error attempt to yield from outside a coroutine
coroutine.yield("to the host")
return "resumed"

--## E57 closes the thread that it runs in
--## ends: error cannot close a running coroutine
coroutine.close(coroutine.running())
return "closed"

--## E58 resumes the thread that it runs in
--## ends: value [false,"cannot resume non-suspended coroutine"]
return { coroutine.resume((coroutine.running())) }

--## E59 changes a table that it was given and looks whether others see it
--## ends: value {"a":1,"approved":true}
_CTX.approved = true
return _CTX

--## E60 uses texts as format, with directions that read memory in C
--## ends: error invalid conversion '%n' to 'format'
return string.format("%n%n%n%s", "x")
