"""P15, SP 136: a tree of processes never outlives its kill, whatever its members did to escape."""

import asyncio
import os
import signal

import pytest

WAYS = [
    "fork",
    "double_fork",
    "setsid",
    "daemon",
    "nohup",
    "ignore_sigterm",
    "close_stdout",
    "hold_stdout",
    "stopped",
]


class TestKill:
    @pytest.mark.parametrize("way", WAYS)
    async def test_p15_sp136_no_descendant_outlives_a_kill(self, processes, tree, env, way):
        process = await processes.start(tree.argv(way), env=env)
        await tree.grown(2)

        await process.kill()

        assert tree.alive() == []
        assert await process.wait() == -signal.SIGKILL

    @pytest.mark.parametrize("way", WAYS)
    async def test_p15_what_a_program_left_behind_ends_with_a_kill(self, processes, tree, env, way):
        process = await processes.start(tree.argv(way, end="exit"), env=env)
        code = await process.wait()
        await tree.grown(2)

        await process.kill()

        assert (code, tree.alive()) == (0, [])

    async def test_p15_all_ways_at_once_after_a_grace(self, processes, tree, env):
        process = await processes.start(tree.argv(*WAYS), env=env)
        await tree.grown(len(WAYS) + 1)

        await process.kill(grace=0.2)

        assert tree.alive() == []
        assert await process.wait() == -signal.SIGTERM

    async def test_sp136_a_bounded_fork_bomb_ends_and_the_engine_works_on(self, processes, tree, env):
        process = await processes.start(tree.argv("many"), env=env)
        await tree.grown(100)

        await process.kill()

        assert tree.alive() == []
        assert await (await processes.start(["true"], env=env)).wait() == 0

    async def test_sp136_a_tree_that_keeps_changing_is_caught(self, processes, tree, env):
        process = await processes.start(tree.argv("restless"), env=env)
        await tree.grown(20)

        await process.kill()
        seen = len(tree.members())
        await asyncio.sleep(0.1)

        assert (tree.alive(), len(tree.members())) == ([], seen)

    async def test_a_grace_lets_a_program_end_by_itself(self, processes, env, tmp_path):
        script = "trap 'echo bye > note; exit 7' TERM; echo on; while :; do sleep 0.01; done"
        process = await processes.start(["sh", "-c", script], env=env, cwd=str(tmp_path))
        await process.read_stdout(10)

        await process.kill(grace=10)

        assert (await process.wait(), (tmp_path / "note").read_text()) == (7, "bye\n")

    async def test_sp136_who_ignores_sigterm_is_killed_after_the_grace(self, processes, env):
        process = await processes.start(["sh", "-c", "trap '' TERM; echo on; while :; do sleep 1; done"], env=env)
        await process.read_stdout(10)

        await process.kill(grace=0.1)

        assert await process.wait() == -signal.SIGKILL

    async def test_a_kill_is_over_at_once_when_nothing_is_left(self, processes, env):
        process = await processes.start(["true"], env=env)
        await process.wait()

        await process.kill(grace=60)
        await process.kill(grace=60)

        assert await process.wait() == 0

    async def test_other_workers_are_left_alone(self, processes, tree, env):
        bystander = await processes.start(["cat"], env=env)
        process = await processes.start(tree.argv(*WAYS), env=env)
        await tree.grown(len(WAYS) + 1)

        await process.kill()
        await bystander.write(b"still here")

        assert await bystander.read_stdout(100) == b"still here"

    async def test_many_kills_at_once(self, processes, tree, env):
        started = await asyncio.gather(*(processes.start(tree.argv("daemon", "setsid"), env=env) for _ in range(10)))
        await tree.grown(30)

        await asyncio.gather(*(process.kill() for process in started))

        assert tree.alive() == []


class TestCancellation:
    async def test_p15_a_kill_that_is_cancelled_still_waits_until_all_is_gone(self, processes, tree, env):
        process = await processes.start(tree.argv("ignore_sigterm", "daemon"), env=env)
        await tree.grown(3)
        killing = asyncio.ensure_future(process.kill(grace=60))
        await asyncio.sleep(0.05)

        killing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await killing

        assert tree.alive() == []

    async def test_p15_a_start_that_is_cancelled_leaves_nothing(self, processes, tree, env):
        for moment in (0, 0.001, 0.002, 0.004, 0.008):
            starting = asyncio.ensure_future(processes.start(tree.argv("daemon"), env=env))
            await asyncio.sleep(moment)
            starting.cancel()
            await asyncio.wait([starting])
            if not starting.cancelled():
                await starting.result().kill()

        assert tree.alive() == []

    async def test_a_wait_that_is_cancelled_can_be_repeated(self, processes, env):
        process = await processes.start(["cat"], env=env)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.wait(), 0.01)

        process.close_stdin()

        assert await process.wait() == 0


class TestAttackOnTheKeepers:
    async def test_p15_a_worker_that_stops_its_warden_dies_all_the_same(self, processes, tree, env):
        process = await processes.start(tree.argv("daemon", end="stop_warden"), env=env)
        await tree.grown(2)

        await process.kill()

        assert tree.alive() == []

    async def test_p15_a_worker_that_kills_its_warden_dies_with_all_it_started(self, processes, tree, env):
        process = await processes.start(tree.argv(*WAYS, end="kill_warden"), env=env)

        code = await process.wait()
        await process.kill()

        assert (code, tree.alive()) == (-signal.SIGKILL, [])

    async def test_p15_a_worker_dies_when_all_its_keepers_are_killed(self, processes, tree, env, children, eventually):
        await processes.start(tree.argv(), env=env)
        await tree.grown(1)
        [reaper] = children(os.getpid())
        [warden] = children(reaper)

        os.kill(warden, signal.SIGSTOP)
        os.kill(reaper, signal.SIGKILL)
        os.kill(warden, signal.SIGKILL)

        await eventually(lambda: tree.alive() == [])

    async def test_p15_the_trees_die_with_the_reaper_and_the_next_start_has_a_new_one(
        self, processes, tree, env, children
    ):
        process = await processes.start(tree.argv(*WAYS), env=env)
        await tree.grown(len(WAYS) + 1)
        [reaper] = children(os.getpid())

        os.kill(reaper, signal.SIGKILL)
        code = await process.wait()
        await process.kill()

        assert (code, tree.alive()) == (-signal.SIGKILL, [])
        assert await (await processes.start(["true"], env=env)).wait() == 0
