-- Release notes out of a list of changes: each change is described in a lane of its own, a writer puts them together, and
-- a reviewer sends them back until they are short enough. The agents stand in agents/*.md.

local s = require "swarm"

local MOST_ROUNDS = 3

-- Describes every change, four at a time; what cannot be described is left out.
local describe = s.fanout {
  items = "$.changes",
  bind = "$.change",
  body = s.step("describer", "$.change", "$.line"),
  join = "all_settled",
  max_concurrency = 4,
  out = "$.lanes",
}

-- Writes and reviews until the reviewer is content.
local write = s.retry {
  body = {
    s.step("writer", "$", "$.notes"),
    s.step("reviewer", "$.notes", "$.verdict"),
  },
  until_ = s.eq("$.verdict", "PASS"),
  max = MOST_ROUNDS,
  counter = "$.round",
}

local flow = s.seq {
  s.gate(s.gt(s.len "$.changes", 0), s.let("$.outcome", "nothing to say")),
  describe,
  write,
  s.gate(s.eq("$.verdict", "PASS"), s.let("$.outcome", "too long")),
  s.let("$.outcome", "published"),
}

return s.blueprint {
  id = "release-notes",
  metadata = { description = "Write release notes from a list of changes", tags = { "example", "lua" } },
  default_agent_kind = "lua",
  default_init_ctx = { changes = { "fix: teapot drips", "feat: a larger cup", "chore: sweep the floor" } },
  flow = flow,
  agents = {
    s.agent_md("agents/describer.md", { spec = { source = s.file "describer.lua" } }),
    s.agent_md("agents/reviewer.md", { spec = { source = s.file "reviewer.lua" } }),
    s.agent_md("agents/writer.md", { spec = { source = s.file "writer.lua" } }),
  },
  spawner_hints = {
    layers = {
      -- Looks at every answer of the describer: one line, no more.
      { lua = { agents = { "describer" }, after = s.file "one_line.lua" } },
    },
  },
}
