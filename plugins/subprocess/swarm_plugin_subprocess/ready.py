"""Ready templates for command lines of coding agents that run without a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from swarm_core.model.blueprint import SubprocessDef, SubprocessOutput


@frozen(kw_only=True)
class ReadyTemplate:
    """A template, how its program is got, and the variables that it may need of the engine's environment."""

    definition: SubprocessDef
    install: str
    needs: tuple[str, ...]


# Values are given as --option=value: what begins with a dash then cannot be taken for an option, and an option whose
# value the agent has not got is left out as a whole.
_ALL = (
    ReadyTemplate(
        definition=SubprocessDef(
            name="claude",
            description="Claude Code: asked once, answers with one JSON object",
            command=(
                "claude",
                "--print",
                "--output-format=json",
                "--model={model}",
                "--append-system-prompt={system}",
                "--allowedTools={tools_csv}",
            ),
            output=SubprocessOutput(format="json", result_ptr="/result", ok_from="!/is_error"),
        ),
        install="npm install -g @anthropic-ai/claude-code",
        needs=("HOME", "ANTHROPIC_API_KEY"),
    ),
    ReadyTemplate(
        definition=SubprocessDef(
            name="codex",
            description="Codex CLI: read-only sandbox, the last message is the answer; the system prompt comes first",
            command=("codex", "exec", "--json", "--skip-git-repo-check", "--model={model}", "-"),
            stdin="{system}\n\n{prompt}",
            output=SubprocessOutput(format="ndjson", result_ptr="/item/text"),
        ),
        install="npm install -g @openai/codex",
        needs=("HOME", "CODEX_API_KEY"),
    ),
    ReadyTemplate(
        definition=SubprocessDef(
            name="gemini",
            description="Gemini CLI: answers with one JSON object; the system prompt takes the place of its own",
            command=("gemini", "--output-format=json", "--model={model}", "--allowed-tools={tools_csv}"),
            env={"GEMINI_SYSTEM_MD": "{system_file}"},
            output=SubprocessOutput(format="json", result_ptr="/response", ok_from="!/error"),
        ),
        install="npm install -g @google/gemini-cli",
        needs=("HOME", "GEMINI_API_KEY"),
    ),
    ReadyTemplate(
        definition=SubprocessDef(
            name="aider",
            description="aider: edits the files of its folder, tells what it did; the system prompt is a file to read",
            command=(
                "aider",
                "--yes-always",
                "--no-pretty",
                "--no-stream",
                "--no-check-update",
                "--no-show-release-notes",
                "--no-analytics",
                "--no-suggest-shell-commands",
                "--model={model}",
                "--read={system_file}",
                "--message={prompt}",
            ),
            stdin="",
            output=SubprocessOutput(format="text"),
        ),
        install="python -m pip install aider-chat",
        needs=("HOME", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"),
    ),
)

READY: Mapping[str, ReadyTemplate] = {ready.definition.name: ready for ready in _ALL}
