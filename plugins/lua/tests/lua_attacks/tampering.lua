-- Scripts that change what the next one finds. After each, a probe runs in the same process and must find all as it was.

--## G01 replaces a method of texts
--## ends: value "owned"
string.rep = function() return "owned" end
return ("x"):rep(3)

--## G02 adds a method to texts
--## ends: value "owned"
string.tampered = function() return "owned" end
return ("x"):tampered()

--## G03 leaves a global behind
--## ends: value true
tampered = true
return tampered

--## G04 replaces library functions
--## ends: value 666
table.insert, table.concat, math.floor = print, print, function() return 666 end
return math.floor(1.5)

--## G05 replaces the libraries
--## ends: value 1
string, table, math, utf8, coroutine = nil, nil, nil, nil, nil
return 1

--## G06 changes the null that all share
--## ends: value 5
rawset(null, "tampered", 5)
return rawget(null, "tampered")

--## G07 replaces print
--## ends: value 1
print = function() error("owned") end
return 1

--## G08 replaces the host functions
--## ends: value "owned"
host.echo = function() return "owned" end
return host.echo()

--## G09 gives the globals a metatable
--## ends: value "owned"
setmetatable(_G, { __index = function() return "owned" end })
return anything

--## G10 seeds the random numbers
--## ends: value true
math.randomseed(42)
local first = math.random()
math.randomseed(42)
return first == math.random()

--## G11 leaves a coroutine behind
--## ends: value "left"
tampered = coroutine.wrap(function() while true do coroutine.yield("left") end end)
return tampered()

--## G12 leaves a guard open
--## ends: error leaving
tampered = coroutine.create(function()
  local guard <close> = setmetatable({}, { __close = function() tampered = "closed" end })
  coroutine.yield()
end)
coroutine.resume(tampered)
error("leaving", 0)

--## G13 loads a chunk that changes the globals
--## ends: value "owned"
load("tampered = 'owned'")()
return tampered

--## G14 changes the input
--## ends: value {"a":2}
_CTX = { a = 2 }
return _CTX
