"""Where Blueprints are kept: what is named, what is set, else the file of the runs."""

import pytest

from swarm_core.errors import SettingsError
from swarm_core.settings import blueprints_url, issues_url, load_settings, project_folder


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return a function that loads settings in `project/sub`, with a swarm.toml in `project` where one is given."""
    (tmp_path / "project/sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project/sub")

    def loaded(toml=None, **env):
        if toml is not None:
            (tmp_path / "project/swarm.toml").write_text(toml)
        return load_settings(environ=env)

    return loaded


@pytest.fixture
def project(tmp_path):
    return f"{tmp_path}/project"


def test_without_settings_it_is_the_working_directorys_own_file(load, project):
    assert f"sqlite:///{project}/sub/.swarm/swarm.db" == blueprints_url(load())


def test_beside_a_settings_file_it_is_the_projects_own(load, project):
    settings = load("")

    assert f"sqlite:///{project}/.swarm/swarm.db" == blueprints_url(settings)
    assert project == str(project_folder(settings))


def test_where_runs_are_in_a_file_it_is_that_file(load, project):
    settings = load('[store]\nurl = "sqlite:///runs.db"')

    assert f"sqlite:///{project}/runs.db" == blueprints_url(settings)
    assert "sqlite:///other.db" == blueprints_url(settings, runs="sqlite:///other.db")


@pytest.mark.parametrize("runs", ["memory://", "postgres://db/runs"])
def test_where_runs_are_in_no_file_it_is_the_projects_own(runs, load, project):
    assert f"sqlite:///{project}/.swarm/swarm.db" == blueprints_url(load(f'[store]\nurl = "{runs}"'))


@pytest.mark.parametrize(
    ("told", "url"),
    [
        ("sqlite:///kept.db?lock_timeout=1s", "sqlite:///{project}/kept.db?lock_timeout=1s"),
        ("git:///blueprints.git", "git:///{project}/blueprints.git"),
        ("sqlite:////var/kept.db", "sqlite:////var/kept.db"),
        ("git:////var/kept.git", "git:////var/kept.git"),
        ("memory://", "memory://"),
        ("registry:///team", "registry:///team"),
    ],
)
def test_a_relative_path_in_the_file_begins_at_its_folder(told, url, load, project):
    settings = load(f'[store]\nblueprints = "{told}"')

    assert url.format(project=project) == blueprints_url(settings)
    assert told == settings.store.blueprints


def test_the_variable_wins_over_the_file_and_begins_at_the_working_directory(load):
    settings = load('[store]\nblueprints = "git:///x.git"', SWARM_BLUEPRINTS="sqlite:///y.db")

    assert "sqlite:///y.db" == blueprints_url(settings)
    assert "SWARM_BLUEPRINTS" == settings.origins["store.blueprints"]


def test_what_is_named_wins_over_all(load):
    assert "memory://" == blueprints_url(load(SWARM_BLUEPRINTS="sqlite:///y.db"), "memory://")


def test_what_is_no_url_is_refused(load):
    with pytest.raises(SettingsError, match="a URL such as sqlite:///runs"):
        load('[store]\nblueprints = "kept.db"')


def test_a_misspelt_variable_is_told(load):
    with pytest.raises(SettingsError, match="did you mean 'SWARM_BLUEPRINTS'"):
        load(SWARM_BLUEPRINT="sqlite:///y.db")


def test_issues_are_where_the_settings_say_else_in_the_file_of_the_runs(load, project):
    assert f"sqlite:///{project}/runs.db" == issues_url(load('[store]\nurl = "sqlite:///runs.db"'))
    assert f"sqlite:///{project}/issues.db" == issues_url(load('[store]\nissues = "sqlite:///issues.db"'))
    assert "sqlite:///env.db" == issues_url(load(SWARM_ISSUES="sqlite:///env.db"))
    assert "memory://" == issues_url(load(SWARM_ISSUES="sqlite:///env.db"), "memory://")
    assert "sqlite:///other.db" == issues_url(load(""), runs="sqlite:///other.db")
