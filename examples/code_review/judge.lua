-- Judges the findings of one file: FIX while a machine can repair something, BLOCKED when what is left breaks the
-- program, else PASS.
local findings = _CTX or {}
local breaks = false

for _, finding in ipairs(findings) do
  if finding.fix ~= null and finding.fix.applicability == "safe" then
    return "FIX"
  end
  local code = tostring(finding.code)
  if code == "invalid-syntax" or code:sub(1, 2) == "F8" or code:sub(1, 2) == "E9" then
    breaks = true
  end
end

return breaks and "BLOCKED" or "PASS"
