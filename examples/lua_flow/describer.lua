-- Stands in for a language model: what agents/describer.md asks for, as far as a pattern can do it.
local kind, subject = _PROMPT:match("^(%l+): (.+)$")
if kind == "chore" then error("no user notices: " .. subject, 0) end
return (kind == "fix" and "Repaired: " or "New: ") .. subject .. "\n(from: " .. _PROMPT .. ")"
