"""`python -m swarm_core`, the same as `swarm`."""

from swarm_core.cli import main

main()
