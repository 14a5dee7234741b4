"""`swarm new --plugin`: a package with a plugin of a kind, and the names that it refuses.

That what is made can be installed and passes its own tests is shown in tests/packaging/test_new_plugin.py.
"""

import ast
import tomllib

import pytest

KINDS = ("layer", "spawner", "store", "resolver", "reader", "command")
FILES = {
    ".github/workflows/test.yml",
    ".gitignore",
    "Makefile",
    "README.md",
    "pyproject.toml",
    "swarm_plugin_two_words.py",
    "tests/test_plugin.py",
    "tests/test_two_words.py",
}


def files_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


class TestPackage:
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_is_a_whole_package_without_a_gap_in_it(self, swarm, cwd, kind):
        ended = swarm("new", "--plugin", "two_words", "--kind", kind)

        folder = cwd / "swarm-plugin-two-words"
        texts = {name: (folder / name).read_text() for name in files_below(folder)}
        assert (0, FILES) == (ended.code, set(texts))
        for word in ("name", "Class", "module", "distribution", "summary", "usage", "core", "command", "scheme"):
            assert [] == [name for name, text in texts.items() if "{{" + word + "}}" in text]
        for name, text in texts.items():
            assert not name.endswith(".py") or ast.get_docstring(ast.parse(text))

    def test_the_entry_point_names_the_module_and_the_core_of_this_version_is_asked_for(self, swarm, cwd):
        swarm("new", "--plugin", "two_words")

        project = tomllib.loads((cwd / "swarm-plugin-two-words/pyproject.toml").read_text())["project"]
        assert {"two_words": "swarm_plugin_two_words"} == project["entry-points"]["swarm_core.plugins"]
        assert ["swarm-core ~= 0.1.0"] == project["dependencies"]

    def test_a_layer_is_the_default_and_the_folder_can_be_chosen(self, swarm, cwd):
        swarm("new", "--plugin", "mine", "elsewhere/here")

        assert "SpawnerLayer" in (cwd / "elsewhere/here/swarm_plugin_mine.py").read_text()

    def test_a_folder_that_is_not_empty_is_refused_and_with_force_its_files_are_left_alone(self, swarm, write, cwd):
        write("swarm-plugin-mine/README.md", "mine")

        refused, forced = swarm("new", "--plugin", "mine"), swarm("new", "--plugin", "mine", "--force")

        assert (2, 0) == (refused.code, forced.code)
        assert "not empty" in refused.err
        assert "mine" == (cwd / "swarm-plugin-mine/README.md").read_text()
        assert (cwd / "swarm-plugin-mine/pyproject.toml").exists()


class TestNames:
    @pytest.mark.parametrize(
        ("name", "nearest"),
        [
            ("My-Plugin", "my_plugin"),
            ("swarm-plugin-shout", "shout"),
            ("a__b", "a_b"),
            ("../up", "up"),
            ("9lives", "lives"),
            ("", None),
            ("ünique", "nique"),
            ("x" * 41, "x" * 40),
        ],
    )
    def test_what_cannot_be_a_name_is_refused_with_the_nearest_that_can(self, swarm, cwd, name, nearest):
        ended = swarm("new", "--plugin", name, "--force")

        assert (2, []) == (ended.code, list(cwd.iterdir()))
        assert nearest is None or f"did you mean {nearest!r}?" in ended.err

    @pytest.mark.parametrize(
        ("name", "kind", "owner"),
        [
            ("audit", "command", "swarm-plugin-audit"),
            ("senior", "layer", "swarm-plugin-senior"),
            ("function", "spawner", "swarm-core"),
            ("fake", "spawner", "swarm-core"),
            ("resolver", "layer", "swarm-core"),
            ("json", "reader", "swarm-core"),
            ("file", "reader", "swarm-core"),
            ("memory", "store", "swarm-core"),
            ("operator_delegate", "layer", "swarm-plugin-operator"),
            ("builtin", "layer", "swarm-core"),
            ("run", "command", "'swarm run' is there already"),
        ],
    )
    def test_a_name_that_is_taken_is_refused_and_its_owner_named(self, swarm, cwd, name, kind, owner):
        ended = swarm("new", "--plugin", name, "--kind", kind)

        assert (2, []) == (ended.code, list(cwd.iterdir()))
        assert f"{name!r} is taken" in ended.err
        assert owner in ended.err

    def test_the_same_word_is_free_for_another_kind(self, swarm):
        assert 0 == swarm("new", "--plugin", "memory", "--kind", "layer").code


class TestUsage:
    @pytest.mark.parametrize("args", [(), ("--kind", "store"), ("--plugin", "x", "--kind", "stoer")])
    def test_what_does_not_fit_together_is_a_usage_error(self, swarm, cwd, args):
        ended = swarm("new", *args)

        assert (2, []) == (ended.code, list(cwd.iterdir()))
