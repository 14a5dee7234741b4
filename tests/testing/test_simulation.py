"""Virtual time: it costs nothing, it is the same every time, and waiting for nothing is found out."""

import asyncio
import gc
import inspect
import subprocess
import sys

import pytest

from swarm_core.testing import SimulatedClock, SimulationLoop, SimulationStuck, simulate


async def now():
    return asyncio.get_running_loop().time()


class TestTime:
    def test_a_week_passes_at_once(self):
        async def main():
            await asyncio.sleep(7 * 86400)
            return await now()

        assert simulate(main) == 7 * 86400

    def test_timers_fire_in_the_order_of_their_time(self):
        async def main():
            seen = []
            loop = asyncio.get_running_loop()
            for seconds in (3, 1, 2):
                loop.call_later(seconds, lambda seconds=seconds: seen.append((seconds, loop.time())))
            await asyncio.sleep(5)
            return seen

        assert simulate(main, seed=3) == [(1, 1.0), (2, 2.0), (3, 3.0)]

    def test_timeouts_come_on_time(self):
        async def main():
            try:
                async with asyncio.timeout(5):
                    await asyncio.sleep(10)
            except TimeoutError:
                return await now()

        assert simulate(main) == 5.0

    def test_time_does_not_pass_while_something_is_ready(self):
        async def main():
            for _ in range(100):
                await asyncio.sleep(0)
            return await now()

        assert simulate(main) == 0.0

    def test_a_cancelled_timer_does_not_move_the_time(self):
        async def main():
            asyncio.get_running_loop().call_later(100, print).cancel()
            await asyncio.sleep(1)
            return await now()

        assert simulate(main) == 1.0


async def busy_course():
    """Give a course of events in which a lot happens at the same time."""
    seen = []
    queue = asyncio.Queue(maxsize=2)
    lock = asyncio.Lock()

    async def worker(name):
        for turn in range(5):
            async with lock:
                seen.append((name, "lock", turn))
            await asyncio.sleep(0 if turn % 2 else 1)
            await queue.put((name, turn))

    async def reader():
        for _ in range(40):
            seen.append(await queue.get())

    async def straggler(name):
        try:
            await asyncio.sleep(1000)
        finally:
            seen.append((name, "cancelled"))

    async def fail():
        await asyncio.sleep(100)
        raise RuntimeError

    async with asyncio.TaskGroup() as group:
        group.create_task(reader())
        for name in range(8):
            group.create_task(worker(name))
    waiting = [asyncio.ensure_future(asyncio.sleep(1, name)) for name in range(8)]
    done, _ = await asyncio.wait(waiting)
    seen += [task.result() for task in done]
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            for name in range(8):
                group.create_task(straggler(name))
    except* RuntimeError:
        seen.append("failed")
    return seen


class TestSeed:
    @pytest.mark.parametrize("seed", [0, 1, 99])
    def test_the_same_seed_gives_the_same_course(self, seed):
        first = simulate(busy_course, seed=seed)
        clutter = [object() for _ in range(1234)]

        assert simulate(busy_course, seed=seed) == first
        del clutter

    def test_the_same_seed_gives_the_same_course_in_another_process(self):
        """Sets of tasks are ordered by hash; neither addresses nor hash seeds may decide what happens."""
        source = f"import asyncio\n{inspect.getsource(busy_course)}\nfrom swarm_core.testing import simulate\n"
        script = f"{source}print(simulate(busy_course, seed=5))"

        outputs = {
            subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
            for _ in range(2)
        }

        assert outputs == {f"{simulate(busy_course, seed=5)}\n"}

    def test_other_seeds_give_other_courses(self):
        courses = {str(simulate(busy_course, seed=seed)) for seed in range(10)}

        assert len(courses) == 10

    def test_every_order_of_three_tasks_is_found(self):
        async def main():
            seen = []

            async def note(name):
                seen.append(name)

            await asyncio.gather(note("a"), note("b"), note("c"))
            return "".join(seen)

        assert {simulate(main, seed=seed) for seed in range(100)} == {"abc", "acb", "bac", "bca", "cab", "cba"}

    def test_a_race_that_real_time_hides_is_found(self):
        async def main():
            box = {"n": 0}

            async def add():
                n = box["n"]
                await asyncio.sleep(0)
                box["n"] = n + 1

            await asyncio.gather(add(), add())
            return box["n"]

        assert {simulate(main, seed=seed) for seed in range(20)} >= {1}


class TestStuck:
    def test_waiting_for_nothing_is_named(self):
        async def waiter():
            await asyncio.get_running_loop().create_future()

        async def main():
            await asyncio.create_task(waiter(), name="the-waiter")

        with pytest.raises(
            SimulationStuck, match=r"nothing is ready and no timer runs; waiting: .*the-waiter at waiter"
        ):
            simulate(main)

    def test_a_stuck_simulation_cleans_up(self):
        ended = []

        async def main():
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                ended.append("main")

        with pytest.raises(SimulationStuck):
            simulate(main)

        gc.collect()
        assert ended == ["main"]

    def test_running_round_in_circles_is_ended(self):
        async def main():
            while True:
                await asyncio.sleep(0)

        with pytest.raises(SimulationStuck, match="no end after 1000 turns, at 0 s; seed 7"):
            simulate(main, seed=7, max_turns=1000)


class TestEnd:
    def test_what_main_raises_comes_out(self):
        async def main():
            raise KeyError("x")

        with pytest.raises(KeyError, match="x"):
            simulate(main)

    def test_tasks_that_were_left_are_cancelled(self):
        ended = []

        async def left():
            try:
                await asyncio.sleep(1000)
            finally:
                ended.append("left")

        async def main():
            main.task = asyncio.create_task(left())
            await asyncio.sleep(0)

        simulate(main)

        assert ended == ["left"]


class TestThreads:
    def test_work_for_threads_runs_on_the_loop(self):
        async def main():
            return await asyncio.to_thread(lambda a, b: a + b, 1, b=2), await now()

        assert simulate(main) == (3, 0.0)

    def test_errors_of_that_work_come_back(self):
        def fail():
            raise OSError("no")

        async def main():
            await asyncio.to_thread(fail)

        with pytest.raises(OSError, match="no"):
            simulate(main)

    def test_that_work_can_be_cancelled_before_it_starts(self):
        ran = []

        async def main():
            task = asyncio.ensure_future(asyncio.to_thread(ran.append, 1))
            task.cancel()
            await asyncio.wait({task})
            return task.cancelled()

        assert (simulate(main), ran) == (True, [])

    def test_there_are_no_sockets(self):
        async def main():
            await asyncio.open_connection("127.0.0.1", 9)

        with pytest.raises(NotImplementedError):
            simulate(main)


class TestClock:
    def test_the_clocks_go_with_the_loop(self):
        async def main():
            clock = SimulatedClock(asyncio.get_running_loop(), epoch=1000.0)
            await asyncio.sleep(5)
            return clock.time(), clock.monotonic()

        assert simulate(main) == (1005.0, 5.0)

    def test_the_wall_clock_jumps_and_the_monotonic_one_does_not(self):
        async def main():
            clock = SimulatedClock(asyncio.get_running_loop(), epoch=1000.0)
            clock.jump(-300)
            back = clock.time(), clock.monotonic()
            clock.set(9000.0)
            await asyncio.sleep(1)
            return back, (clock.time(), clock.monotonic())

        assert simulate(main) == ((700.0, 0.0), (9001.0, 1.0))


def test_the_loop_can_be_used_by_hand():
    loop = SimulationLoop(seed=4)
    try:
        assert (loop.run_until_complete(asyncio.sleep(3, "x")), loop.time(), loop.seed) == ("x", 3.0, 4)
    finally:
        loop.close()
