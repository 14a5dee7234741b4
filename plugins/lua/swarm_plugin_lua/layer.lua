-- Runs one half of a Lua layer: `before`, which may raise, or `after`, which may give another result.
--
-- The half is a function (or gives one, or is what would stand in one): of ctx, and after the worker of its result too.

local given, null = _CTX, null
local error, getmetatable, load, type = error, getmetatable, load, type

_PROMPT, _CTX = nil, nil
local ctx_given, result_given = given.ctx, given.result
ctx, result = ctx_given, result_given -- for a half that is no function

local function chunk_of(source)
  local value, why = load("return " .. source, "=layer")
  if value then return value end
  local statements, problem = load(source, "=layer")
  if statements then return statements end
  -- Of a function that is written wrongly, the first attempt says what is wrong with it.
  error(source:find("^%s*function%s*%(") and why or problem, 0)
end

local function said_by(half)
  local said = half(ctx_given, result_given)
  if type(said) == "function" then said = said(ctx_given, result_given) end
  return said
end

local said = said_by(chunk_of(given.source))

if not result_given or said == nil or said == null then return { value = { changed = false } } end
if type(said) ~= "table" or getmetatable(said) == "array" then
  error("it returned a " .. type(said) .. "; a table with value and ok is wanted", 0)
end
local value, ok = said.value, said.ok
if ok ~= nil and type(ok) ~= "boolean" then error("the ok that it returned is neither true nor false", 0) end
return { value = { changed = true, value = value, ok = ok } }
