from __future__ import annotations

import sys
from textwrap import dedent

import pytest

from swarm_core.builtin.swarmfile import functions_beside, load_swarmfile
from swarm_core.errors import DocumentError
from swarm_core.functions import function, functions_in

HEAD = "from swarm_core.functions import function\n"


@pytest.fixture
def write(tmp_path):
    """Write a swarmfile.py and return its path."""

    def written(text):
        path = tmp_path / "swarmfile.py"
        path.write_text(dedent(text))
        return path

    return written


def problems_of(path):
    with pytest.raises(DocumentError) as caught:
        load_swarmfile(path)
    return [(p.code, p.file, p.line) for p in caught.value.problems], caught.value


class TestDecorator:
    def test_bare_the_functions_own_name_is_used(self):
        @function
        def greet(name):
            return f"hello {name}"

        (found,) = functions_in({"greet": greet})

        assert ("greet", greet, False, False) == (found.name, found.call, found.pure, found.inline)

    def test_a_name_and_facts_may_be_given(self):
        @function("math.double", pure=True, inline=True)
        def double(number):
            return 2 * number

        (found,) = functions_in({"double": double})

        assert (found.name, found.pure, found.inline) == ("math.double", True, True)

    def test_facts_may_be_given_without_a_name(self):
        @function(pure=True)
        def double(number):
            return 2 * number

        (found,) = functions_in({"double": double})

        assert (found.name, found.pure) == ("double", True)

    def test_the_function_itself_is_unchanged(self):
        def double(number):
            return 2 * number

        assert double is function(double)
        assert double(2) == 4

    def test_unmarked_things_are_left_out(self):
        @function
        def marked():
            pass

        class Anything:
            def __getattr__(self, name):
                return marked

        namespace = {"marked": marked, "plain": len, "text": "x", "anything": Anything(), "again": marked}

        assert [found.name for found in functions_in(namespace)] == ["marked"]

    def test_a_wrapper_around_a_marked_function_is_what_is_found(self):
        import functools

        @function
        def double(number):
            return 2 * number

        @functools.wraps(double)
        def checked(number):
            return double(number) + 1

        (found,) = functions_in({"double": checked})

        assert found.call(2) == 5

    @pytest.mark.parametrize("name", ["", "a b", "../x", "a|b", "x" * 65])
    def test_a_bad_name_is_refused(self, name):
        with pytest.raises(ValueError, match="cannot name a function"):
            function(name)(len)

    def test_a_lambda_needs_a_name(self):
        with pytest.raises(ValueError, match="'<lambda>' cannot name a function"):
            function(lambda: None)

    @pytest.mark.parametrize("target", [5, ["name"]])
    def test_something_else_than_a_name_is_refused(self, target):
        with pytest.raises(TypeError, match="takes a name"):
            function(target)

    def test_a_class_is_refused(self):
        with pytest.raises(TypeError, match="Worker is a class"):

            @function
            class Worker:
                pass

    def test_what_takes_no_mark_is_refused(self):
        with pytest.raises(TypeError, match="wrap it in a function of its own"):
            function(len)

    def test_an_async_function_cannot_be_pure(self):
        with pytest.raises(TypeError, match="async and so cannot be pure"):

            @function(pure=True)
            async def fetch():
                pass


class TestLoad:
    def test_marked_functions_are_collected_in_order(self, write):
        path = write(f"{HEAD}@function('b')\ndef two(): return 2\n@function\ndef one(): return 1\ndef helper(): pass\n")

        assert [(f.name, f.call()) for f in load_swarmfile(path)] == [("b", 2), ("one", 1)]

    def test_each_load_is_fresh(self, write):
        path = write(f"{HEAD}seen = []\n@function\ndef count(): seen.append(1); return len(seen)\n")

        (first,), (second,) = load_swarmfile(path), load_swarmfile(path)

        assert [first.call(), first.call(), second.call()] == [1, 2, 1]

    def test_a_changed_file_is_read_again(self, write):
        load_swarmfile(write(f"{HEAD}@function\ndef f(): return 1\n"))

        (changed,) = load_swarmfile(write(f"{HEAD}@function\ndef f(): return 2\n"))

        assert changed.call() == 2

    def test_nothing_stays_in_sys_modules_or_on_disk(self, write, tmp_path):
        before = set(sys.modules)

        load_swarmfile(write(f"{HEAD}@function\ndef f(): return 1\n"))

        assert (before, ["swarmfile.py"]) == (set(sys.modules), [p.name for p in tmp_path.iterdir()])

    def test_dataclasses_with_text_annotations_work(self, write):
        path = write("""
            from __future__ import annotations
            from dataclasses import dataclass
            from swarm_core.functions import function

            @dataclass
            class Note:
                text: str

            @function
            def note(text: str) -> str:
                return Note(text).text
        """)

        (found,) = load_swarmfile(path)

        assert found.call("hi") == "hi"

    def test_a_folder_without_a_swarmfile_has_no_functions(self, tmp_path):
        assert functions_beside(tmp_path) == ()

    def test_a_folder_with_one_has_its_functions(self, write, tmp_path):
        write(f"{HEAD}@function\ndef f(): return 1\n")

        assert [found.name for found in functions_beside(tmp_path)] == ["f"]


class TestRefusal:
    def test_a_syntax_error_is_told_with_its_place(self, write):
        path = write("x = 1\ndef broken(:\n")

        found, error = problems_of(path)

        assert [("swarmfile_syntax", str(path), 2)] == found
        assert f"{path}:2:12" in str(error)

    def test_an_error_while_it_runs_is_told_with_its_line(self, write):
        path = write("def f():\n    return 1 / 0\n\nf()\n")

        found, error = problems_of(path)

        assert [("swarmfile_failed", str(path), 2)] == found
        assert "ZeroDivisionError: division by zero" in str(error)

    def test_p34_exit_while_it_runs_does_not_end_the_process(self, write):
        path = write("import sys\nsys.exit(3)\n")

        found, error = problems_of(path)

        assert [("swarmfile_failed", str(path), 2)] == found
        assert "SystemExit: 3" in str(error)

    def test_p34_any_other_base_exception_is_told(self, write):
        path = write("class Odd(BaseException): pass\nraise Odd('x')\n")

        assert [("swarmfile_failed", str(path), 2)] == problems_of(path)[0]

    def test_ctrl_c_is_not_taken_for_a_fault_of_the_file(self, write):
        with pytest.raises(KeyboardInterrupt):
            load_swarmfile(write("raise KeyboardInterrupt\n"))

    def test_a_missing_import_says_what_can_be_imported(self, write):
        path = write("import not_there_at_all\n")

        _, error = problems_of(path)

        assert "installed packages, not the files beside it" in str(error)

    def test_a_failed_load_leaves_nothing_behind(self, write):
        before = set(sys.modules)

        problems_of(write("raise ValueError('x')\n"))

        assert before == set(sys.modules)

    def test_a_bad_mark_is_told_with_its_line(self, write):
        path = write(f"{HEAD}\n@function('no name')\ndef f(): pass\n")

        assert [("swarmfile_failed", str(path), 3)] == problems_of(path)[0]

    def test_two_functions_of_one_name_are_refused(self, write):
        path = write(f"{HEAD}@function('f')\ndef one(): pass\n@function('f')\ndef two(): pass\n")

        assert [("duplicate_function", str(path), 4)] == problems_of(path)[0]

    def test_a_nul_byte_is_refused(self, write):
        path = write("x = 1\0\n")

        assert problems_of(path)[0][0][0] == "swarmfile_syntax"

    def test_a_file_that_cannot_be_read_is_refused(self, tmp_path):
        (tmp_path / "swarmfile.py").mkdir()

        found, error = problems_of(tmp_path / "swarmfile.py")

        assert found[0][0] == "swarmfile_unreadable"
        assert "Is a directory" in str(error)
