"""System prompts of agents. They need Jinja2, which the plugin that has them depends on; the core does not."""

from swarm_core.prompts.system import LIMIT as LIMIT
from swarm_core.prompts.system import SystemPrompt as SystemPrompt
