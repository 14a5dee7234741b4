-- Values on their way between the host and a script: null, arrays, and JSON text. Gives what the prelude uses of them.

local max_json, max_depth = ...

local error, ipairs, next, rawget, tonumber, tostring, type = error, ipairs, next, rawget, tonumber, tostring, type
local raw_setmetatable, metatable_of = setmetatable, debug.getmetatable
local concat, sort = table.concat, table.sort
local find, format, gsub, sub = string.find, string.format, string.gsub, string.sub
local math_type, utf8_len = math.type, utf8.len

local ARRAY = { __metatable = "array", __name = "array" }

local null = raw_setmetatable({}, {
  __metatable = "null",
  __name = "null",
  __tostring = function() return "null" end,
  __index = function() error("attempt to index null", 2) end,
  __newindex = function() error("attempt to set a field of null", 2) end,
})

local function is_array(value)
  return metatable_of(value) == ARRAY
end

local function array(items)
  if items == nil then items = {} end
  if type(items) ~= "table" then error("json.array: a table is wanted", 2) end
  local current = metatable_of(items)
  if current ~= nil and current ~= ARRAY then error("json.array: the table has a metatable already", 2) end
  return raw_setmetatable(items, ARRAY)
end

-- The host makes tables; which of them are arrays is said here.
local function marked(value, arrays)
  for position = 1, #arrays do raw_setmetatable(arrays[position], ARRAY) end
  return value
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }
for code = 0, 31 do
  local character = string.char(code)
  ESCAPES[character] = ESCAPES[character] or format("\\u%04x", code)
end

-- Walks raw tables only: no metamethod of the script runs while its values are written down.
local function to_json(value)
  local pieces, count, size = {}, 0, 0
  local open, trail = {}, {}

  local function fail(name, text)
    local place = "$"
    for _, step in ipairs(trail) do place = place .. step end
    if #place > 120 then place = sub(place, 1, 117) .. "..." end
    error(name .. " at " .. place .. ": " .. text, 0)
  end

  local function put(piece)
    size = size + #piece
    if size > max_json then fail("too_large", format("more than %d bytes of JSON", max_json)) end
    count = count + 1
    pieces[count] = piece
  end

  local function put_text(text)
    if size + #text > max_json then fail("too_large", format("more than %d bytes of JSON", max_json)) end
    if not utf8_len(text) then fail("not_utf8", "the text is not valid UTF-8") end
    put('"' .. gsub(text, '[%c"\\]', ESCAPES) .. '"')
  end

  local function put_number(number)
    if math_type(number) == "integer" then return put(format("%d", number)) end
    if number ~= number or number == 1 / 0 or number == -1 / 0 then
      fail("not_a_number", (number ~= number and "nan" or "infinity") .. " has no form in JSON")
    end
    local text = format("%.15g", number)
    if tonumber(text) ~= number then text = format("%.17g", number) end
    put(find(text, "[.e]") and text or text .. ".0")
  end

  local function keys_of(t)
    local texts, integers, highest = {}, 0, 0
    for key in next, t do
      if type(key) == "string" then
        texts[#texts + 1] = key
      elseif math_type(key) == "integer" and key >= 1 then
        integers = integers + 1
        if key > highest then highest = key end
      else
        fail("bad_key", "a key is " .. (type(key) == "number" and tostring(key) or "a " .. type(key)))
      end
    end
    return texts, integers, highest
  end

  local put_value

  local function put_array(t, length)
    put("[")
    for index = 1, length do
      if index > 1 then put(",") end
      trail[#trail + 1] = "[" .. (index - 1) .. "]"
      put_value(rawget(t, index))
      trail[#trail] = nil
    end
    put("]")
  end

  local function put_object(t, keys)
    sort(keys)
    put("{")
    for position, key in ipairs(keys) do
      if position > 1 then put(",") end
      put_text(key)
      put(":")
      trail[#trail + 1] = "." .. sub(key, 1, 40)
      put_value(rawget(t, key))
      trail[#trail] = nil
    end
    put("}")
  end

  local function put_table(t)
    if open[t] then fail("cyclic", "the table holds itself") end
    if #trail >= max_depth then fail("too_deep", format("more than %d levels", max_depth)) end
    local keys, integers, highest = keys_of(t)
    local as_array = integers > 0 or metatable_of(t) == ARRAY
    if as_array and #keys > 0 then fail("mixed_table", "it has both positions and names as keys") end
    if as_array and integers ~= highest then
      fail("sparse_array", format("%d of the positions 1 to %d are filled; use null for what is absent", integers, highest))
    end
    open[t] = true
    if as_array then put_array(t, integers) else put_object(t, keys) end
    open[t] = nil
  end

  put_value = function(v)
    local kind = type(v)
    if v == nil or v == null then put("null")
    elseif kind == "string" then put_text(v)
    elseif kind == "number" then put_number(v)
    elseif kind == "boolean" then put(tostring(v))
    elseif kind == "table" then put_table(v)
    else fail("unsupported_type", "a " .. kind .. " has no form in JSON")
    end
  end

  put_value(value)
  return concat(pieces)
end

return null, array, is_array, marked, to_json
