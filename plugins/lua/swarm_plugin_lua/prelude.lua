-- Builds the only environment that a script sees. Runs once, in a new runtime, before the script is known.
--
-- clock() gives seconds; confine() puts the memory limit back after the host worked without one; ask_host(name, arguments)
-- and decode_json(text) give true, a value and a list of the arrays in it, or false and a text. None of them ever raises,
-- and none is given to a script. values(...) is the chunk in values.lua.

local clock, confine, ask_host, decode_json, max_log, max_json, max_depth = ...
local null, array, is_array, marked, to_json = values(max_json, max_depth)

local error, getmetatable, ipairs, load, next, select = error, getmetatable, ipairs, load, next, select
local rawget, tonumber, tostring, type = rawget, tonumber, tostring, type
local raw_pcall, raw_setmetatable = pcall, setmetatable
local raw_resume, raw_close, create, status = coroutine.resume, coroutine.close, coroutine.create, coroutine.status
local sethook, getinfo, metatable_of = debug.sethook, debug.getinfo, debug.getmetatable
local concat, pack, unpack = table.concat, table.pack, table.unpack
local sub = string.sub

local ABSENT = "is not available in Lua workers"

-- time --------------------------------------------------------------------------------------------------------

local HOOK_EVERY = 2000 -- instructions; looking at the clock takes as long as a hundred of them

local deadline, script_name
local expired, expired_at = false, nil

local function line_of_script()
  for level = 3, 30 do
    local info = getinfo(level, "Sl")
    if not info then return nil end
    if info.short_src == script_name and info.currentline > 0 then
      return script_name .. ":" .. info.currentline
    end
  end
end

local hook

-- The flag is set before anything that can fail, so that a script which swallows this error meets the next one.
local function check_time()
  if not expired then
    if clock() < deadline then return end
    expired = true
    expired_at = line_of_script()
  end
  sethook(hook, "", 1)
  error("time limit exceeded", 0)
end

hook = function() check_time() end

local function after_call(ok, ...)
  if not ok then check_time() end
  return ok, ...
end

local function safe_pcall(f, ...)
  return after_call(raw_pcall(f, ...))
end

-- The handler runs after unwinding: as a real message handler it would run with hooks off.
local function handled(handler, ok, ...)
  if ok then return ok, ... end
  check_time()
  return false, select(2, safe_pcall(handler, ...))
end

local function safe_xpcall(f, handler, ...)
  return handled(handler, raw_pcall(f, ...))
end

-- Every coroutine has a hook of its own.
local function hooked_create(f)
  if type(f) ~= "function" then error("coroutine.create: a function is wanted", 2) end
  local thread = create(f)
  sethook(thread, hook, "", HOOK_EVERY)
  return thread
end

local function results_of(thread, ok, ...)
  if ok then return ... end
  check_time()
  if status(thread) == "dead" then after_call(raw_close(thread)) end
  error((...), 0)
end

local function hooked_wrap(f)
  if type(f) ~= "function" then error("coroutine.wrap: a function is wanted", 2) end
  local thread = hooked_create(f)
  return function(...) return results_of(thread, raw_resume(thread, ...)) end
end

-- JSON --------------------------------------------------------------------------------------------------------

local function encode(value)
  local ok, text = after_call(raw_pcall(to_json, value))
  if not ok then error("json.encode: " .. text, 2) end
  return text
end

local function decode(text)
  if type(text) ~= "string" then error("json.decode: a string is wanted", 2) end
  local ok, value, arrays = decode_json(text)
  confine()
  if not ok then error("json.decode: " .. value, 2) end
  return marked(value, arrays)
end

-- the script's environment ------------------------------------------------------------------------------------

local log, log_size = {}, 0

local function print_line(...)
  if log_size >= max_log then return end
  local words = pack(...)
  for position = 1, words.n do words[position] = tostring(words[position]) end
  local line = concat(words, "\t", 1, words.n) .. "\n"
  log[#log + 1] = sub(line, 1, max_log - log_size)
  log_size = log_size + #log[#log]
end

local function absent(name)
  return function() error(name .. " " .. ABSENT, 2) end
end

local function absent_library(name)
  local function refuse(_, key) error(name .. "." .. tostring(key) .. " " .. ABSENT, 2) end
  return raw_setmetatable({}, { __index = refuse, __newindex = refuse, __metatable = "absent" })
end

-- __gc would run with hooks off, in the middle of whatever the host does.
local function safe_setmetatable(t, metatable)
  if type(metatable) == "table" and rawget(metatable, "__gc") ~= nil then
    error("metatables with __gc are not available in Lua workers", 2)
  end
  local ok, result = raw_pcall(raw_setmetatable, t, metatable)
  if not ok then error(result, 2) end
  return result
end

local env = {
  _VERSION = _VERSION,
  assert = assert, error = error, getmetatable = getmetatable, ipairs = ipairs, next = next, pairs = pairs,
  rawequal = rawequal, rawget = rawget, rawlen = rawlen, rawset = rawset, select = select, tonumber = tonumber,
  tostring = tostring, type = type,
  pcall = safe_pcall, xpcall = safe_xpcall, setmetatable = safe_setmetatable, print = print_line,
  math = math, string = string, table = table, utf8 = utf8,
  coroutine = {
    create = hooked_create, wrap = hooked_wrap, status = status, yield = coroutine.yield, running = coroutine.running,
    isyieldable = coroutine.isyieldable,
    resume = function(thread, ...) return after_call(raw_resume(thread, ...)) end,
    close = function(thread) return after_call(raw_close(thread)) end,
  },
  null = null,
  json = { null = null, array = array, encode = encode, decode = decode },
  host = {},
}
env._G = env

-- Text only, whatever mode is asked for: bytecode can crash the interpreter.
env.load = function(chunk, name, _, scope)
  if type(chunk) ~= "string" then error("load: a string is wanted in Lua workers", 2) end
  return load(chunk, name or "=load", "t", scope or env)
end

for _, name in ipairs { "collectgarbage", "dofile", "loadfile", "loadstring", "require", "warn" } do
  env[name] = absent(name)
end
for _, name in ipairs { "debug", "io", "os", "package" } do
  env[name] = absent_library(name)
end
string.dump = absent("string.dump")
metatable_of("").__metatable = "string"

local function add_host_function(name)
  env.host[name] = function(...)
    local arguments = pack(...)
    for position = 1, arguments.n do
      if arguments[position] == nil then arguments[position] = null end
    end
    arguments.n = nil
    local ok, text = after_call(raw_pcall(to_json, array(arguments)))
    if not ok then error("host." .. name .. ": arguments: " .. text, 2) end
    local answered, value, arrays = ask_host(name, text)
    confine()
    check_time()
    if not answered then error("host." .. name .. " " .. value, 2) end
    return marked(value, arrays)
  end
end

-- running -----------------------------------------------------------------------------------------------------

local function text_of_error(raised)
  local kind = type(raised)
  if kind == "string" then return sub(raised, 1, 2000) end
  if kind == "number" or kind == "boolean" then return "error(" .. tostring(raised) .. ")" end
  if kind == "nil" then return "error(nil)" end
  local message = kind == "table" and rawget(raised, "message")
  if type(message) == "string" then return sub(message, 1, 2000) end
  return "a " .. kind .. " was raised as the error"
end

local function failure(raised)
  if expired then return "timeout", expired_at or "" end
  if raised == "not enough memory" then return "memory", "" end
  return "error", text_of_error(raised)
end

-- A table with `value` or `ok` speaks about itself; anything else is the value.
local function value_and_ok(result)
  if type(result) ~= "table" or result == null or is_array(result) then return result, true end
  local value, ok = rawget(result, "value"), rawget(result, "ok")
  if ok ~= nil and type(ok) ~= "boolean" then error("bad_ok at $.ok: it is neither true nor false", 0) end
  if value ~= nil then return value, ok ~= false end
  return result, ok ~= false
end

local function written(result)
  local value, ok = value_and_ok(result)
  return to_json(value), ok
end

-- A hook counts for one thread only: what is to be bounded runs in a thread of its own, and this code never in one, so
-- that it can still speak when the time is over.
local function bounded(f, ...)
  local thread = create(f)
  sethook(thread, hook, "", HOOK_EVERY)
  local ended = pack(raw_resume(thread, ...))
  if expired or not ended[1] then return false, failure(ended[2]) end
  if status(thread) == "suspended" then return false, "error", "attempt to yield from outside a coroutine" end
  return true, unpack(ended, 2, ended.n)
end

local function speak(kind, text, content)
  return kind, text, content or false, concat(log)
end

-- Gives a status (done, error, result, timeout, memory), a text, whether the worker is content, and what was printed.
local function run(
  name, source, seconds, functions, prompt, ctx, arrays, agent, task_id, attempt, key, meta, meta_arrays)
  script_name = name
  env._PROMPT, env._CTX, env._AGENT, env._TASK_ID, env._ATTEMPT, env._KEY = prompt, ctx, agent, task_id, attempt, key
  env._META = meta
  if ctx == null then env._CTX = nil end
  marked(ctx, arrays)
  marked(meta, meta_arrays)
  if functions then
    for _, function_name in ipairs(functions) do add_host_function(function_name) end
  end
  deadline = clock() + seconds
  confine()
  local chunk, problem = load(source, "=" .. name, "t", env)
  if not chunk then return speak(failure(problem)) end
  local ended = pack(bounded(chunk))
  if not ended[1] then return speak(ended[2], ended[3]) end
  if ended.n == 1 then return speak("result", "no_result at $: the script ended without return") end
  local ok, text, content = bounded(written, ended[2])
  if ok then return speak("done", text, content) end
  return speak(text == "error" and "result" or text, content)
end

local globals_of_state = _G
for name in next, globals_of_state do globals_of_state[name] = nil end

return run, null
