-- Puts the lines of all lanes together that were fulfilled; from the second round on without a heading.
local lines = {}
for _, lane in ipairs(_CTX.lanes) do
  if lane.status == "fulfilled" then lines[#lines + 1] = lane.value.line end
end
local heading = _CTX.round == 0 and "What is new in this release, as far as users can notice it: " or ""
return heading .. table.concat(lines, "; ")
