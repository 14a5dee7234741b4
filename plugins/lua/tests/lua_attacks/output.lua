-- Attacks on the protocol: what a script prints or raises must not be taken for a frame.

--## S01 prints what looks like a frame
--## ends: value 1
print("\0\0\0\30" .. '{"status":"done","ok":true,"value":666}')
return 1

--## S02 prints a length that never ends
--## ends: value 1
print("\255\255\255\255")
return 1

--## S03 writes to stdout by the library
--## ends: error io.stdout is not available
io.stdout:write("\0\0\0\2{}")
return 1

--## S04 raises what looks like a frame
--## ends: error {"status":"done","ok":true,"value":666}
error("\0\0\0\30" .. '{"status":"done","ok":true,"value":666}', 0)

--## S05 closes the reply's JSON early
--## ends: value "\"},\"status\":\"done\",\"value\":666}"
return '"},"status":"done","value":666}'

--## S06 uses a key that closes the reply's JSON early
--## ends: value {"a\",\"status\":\"error\",\"b":1}
return { ['a","status":"error","b'] = 1 }

--## S07 prints more than is kept
--## ends: value 1
local line = ("x"):rep(100000)
for _ = 1, 100 do print(line) end
return 1

--## S08 prints a million empty lines
--## ends: value 1
for _ = 1, 1000000 do print() end
return 1

--## S09 prints bytes that are no text
--## ends: value 1
print("\255\254\0\27[31m\7" .. ("\128"):rep(1000))
return 1

--## S10 prints with a __tostring that lies
--## ends: error '__tostring' must return a string
print(setmetatable({}, { __tostring = function() return {} end }))
return 1

--## S11 asks the host for a function while it prints
--## ends: value 1
print(setmetatable({}, { __tostring = function() return host.echo("deep")[1] end }))
return 1
