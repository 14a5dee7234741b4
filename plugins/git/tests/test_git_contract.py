"""The store keeps the contract of all stores of Blueprints."""

import itertools

from swarm_plugin_git import open_git_blueprints

from swarm_core.testing import check_blueprint_store, check_durable_blueprint_store, check_plugin


async def test_row_81_keeps_the_contract_of_blueprint_stores(tmp_path):
    names = itertools.count()

    await check_blueprint_store(lambda: open_git_blueprints(f"git:///{tmp_path}/{next(names)}.git"))


async def test_keeps_what_it_acknowledged(url):
    await check_durable_blueprint_store(lambda: open_git_blueprints(url))


async def test_every_repository_of_the_contract_is_clean_for_git(tmp_path, git):
    names = itertools.count()
    await check_blueprint_store(lambda: open_git_blueprints(f"git:///{tmp_path}/{next(names)}.git"))

    for repository in sorted(tmp_path.glob("*.git")):
        said = git("fsck", "--strict", "--full", "--no-dangling", at=repository)

        assert "" == said, repository


def test_is_a_plugin_that_a_host_admits():
    import swarm_plugin_git

    check_plugin(swarm_plugin_git)
