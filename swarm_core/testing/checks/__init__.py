"""Contract checks: one for each kind of thing that a plugin provides, to be run on every implementation."""

from swarm_core.testing.checks.blueprint_stores import check_blueprint_store, check_durable_blueprint_store
from swarm_core.testing.checks.contract import ContractBroken
from swarm_core.testing.checks.enhance_stores import check_enhance_log_store, check_enhance_setting_store
from swarm_core.testing.checks.issue_durable import check_durable_issue_store
from swarm_core.testing.checks.issue_stores import check_issue_store
from swarm_core.testing.checks.layers import check_layer
from swarm_core.testing.checks.plugins import check_plugin
from swarm_core.testing.checks.readers import check_reader
from swarm_core.testing.checks.resolvers import check_resolver
from swarm_core.testing.checks.run_durable import check_durable_run_store
from swarm_core.testing.checks.run_stores import check_run_store
from swarm_core.testing.checks.stores import check_output_store
from swarm_core.testing.checks.workers import check_spawner

__all__ = [
    "ContractBroken",
    "check_blueprint_store",
    "check_durable_blueprint_store",
    "check_durable_issue_store",
    "check_durable_run_store",
    "check_enhance_log_store",
    "check_enhance_setting_store",
    "check_issue_store",
    "check_layer",
    "check_output_store",
    "check_plugin",
    "check_reader",
    "check_resolver",
    "check_run_store",
    "check_spawner",
]
