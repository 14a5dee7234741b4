"""The host: a value that holds what the plugins provide and calls the hooks that come later."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from swarm_core.errors import PluginError, PluginUnavailable, SettingsError
from swarm_core.factories import Catalog
from swarm_core.host import commands, lifespans
from swarm_core.host.admission import missing
from swarm_core.host.discovery import fingerprint, normalized
from swarm_core.host.loading import Entry, catalog_of, doubts, gather, take_in
from swarm_core.host.plugin import Plugin
from swarm_core.known import PROVIDERS, distribution_of
from swarm_core.model.problem import Problem
from swarm_core.settings import Settings

if TYPE_CHECKING:
    import click

    from swarm_core.remote import RemoteSwarm
    from swarm_core.tokens import CapTokenSigner


class PluginState(StrEnum):
    """What has become of a plugin."""

    ACTIVE = "active"
    DISABLED = "disabled"
    REFUSED = "refused"
    MISSING = "missing"


@frozen(kw_only=True, eq=False, repr=False)
class PluginStatus:
    """A plugin as `swarm plugins` shows it.

    `module` is None for a plugin that is required but not there. `hooks` and `provides` (`spawner lua`) are known as
    far as its admission went. `core` marks what the core brings itself.
    """

    name: str
    state: PluginState
    distribution: str | None = None
    version: str | None = None
    module: str | None = None
    core: bool = False
    error: PluginError | None = None
    hooks: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()

    def fingerprint(self) -> str | None:
        """Return the SHA-256 over the plugin's files as they are now; it is computed at each call."""
        return fingerprint(self.module) if self.module else None

    def as_json(self) -> dict[str, Any]:
        """Return what there is to say about the plugin, as data."""
        return {
            "name": self.name,
            "state": str(self.state),
            "distribution": self.distribution,
            "version": self.version,
            "module": self.module,
            "hash": self.fingerprint(),
            "hooks": list(self.hooks),
            "provides": list(self.provides),
            "error": self.error.as_json() if self.error else None,
        }


@frozen(kw_only=True, eq=False, repr=False)
class Host:
    """What was loaded: the catalog, every plugin's status in the order of admission, and warnings."""

    catalog: Catalog
    plugins: tuple[PluginStatus, ...]
    problems: tuple[Problem, ...] = ()
    active: tuple[Plugin, ...] = ()

    @classmethod
    def load(
        cls,
        plugins: Iterable[object] | None,
        settings: Settings,
        *,
        builtin: Iterable[object] = (),
        strict: bool = True,
    ) -> Host:
        """Find plugins, admit those that keep to the rules, and let them read their settings.

        `plugins` are modules or objects; None means all that are installed. `builtin` is what the core brings itself:
        it comes first and cannot be switched off. A lenient host always comes up.
        Raises: ExceptionGroup of PluginError, with every plugin that is wrong, when `strict`.
        """
        candidates, problems = gather(plugins, builtin)
        entries = take_in(candidates, settings)
        absent = [_absent(error) for error in missing(settings.plugins, candidates)]
        host = cls(
            catalog=catalog_of(entries),
            plugins=(*map(_status, entries), *absent),
            problems=(*problems, *doubts(settings, candidates)),
            active=tuple(entry.active for entry in entries if entry.active),
        )
        if strict and host.errors:
            count = len(host.errors)
            raise ExceptionGroup(f"{count} plugin{'s' if count > 1 else ''} cannot be used", host.errors)
        return evolve(host, catalog=evolve(host.catalog, absent=host._absent()))

    @property
    def errors(self) -> tuple[PluginError, ...]:
        """Return what is wrong with plugins, in the order of admission."""
        return tuple(status.error for status in self.plugins if status.error)

    def commands(self, cli: click.Group) -> tuple[PluginError, ...]:
        """Let the plugins add their subcommands, and return an error for each one whose commands were not added."""
        errors: list[PluginError] = []
        for plugin in self._with(commands.HOOK):
            try:
                commands.add_commands(plugin, cli)
            except PluginError as error:
                errors.append(error)
        return tuple(errors)

    def signer(self, settings: Settings) -> CapTokenSigner | None:
        """Return the signer of the first plugin that has one, the core asked last; None when nobody has.

        Raises: PluginInvalid, when a plugin that is asked raises or answers with something else: no other signer than
        the one that was installed may step in unseen.
        """
        from swarm_core.tokens import CapTokenSigner

        for plugin in sorted(self._with("swarm_signer"), key=lambda plugin: plugin.candidate.core):
            answer = plugin.call("swarm_signer", settings=settings)
            if isinstance(answer, CapTokenSigner):
                return answer
            if answer is not None:
                raise plugin.answered("swarm_signer", answer, "a CapTokenSigner")
        return None

    def connect(self, settings: Settings, url: str) -> AbstractAsyncContextManager[RemoteSwarm]:
        """Return what reaches the server at an address, from the first plugin that can.

        Raises: PluginUnavailable, when the plugin that could is refused or disabled; PluginInvalid; SettingsError, when
        none is installed.
        """
        for plugin in self._with("swarm_connect"):
            answer = plugin.call("swarm_connect", settings=settings, url=url)
            if isinstance(answer, AbstractAsyncContextManager):
                return answer
            if answer is not None:
                raise plugin.answered("swarm_connect", answer, "an async context manager")
        absent = self.unavailable("client", "http")
        if absent is not None:
            raise absent
        hint = f"pip install {distribution_of('client', 'http')}"
        raise SettingsError("reaching a server takes the client, which is not installed", hint=hint)

    @asynccontextmanager
    async def lifespans(self, swarm: Any) -> AsyncIterator[None]:
        """Enter the plugins' lifespans in the order of admission and leave them in reverse.

        Raises: PluginInvalid, when one cannot be opened (those before it are closed again) or fails to close.
        """
        async with AsyncExitStack() as stack:
            for plugin in self._with(lifespans.HOOK):
                await stack.enter_async_context(lifespans.Lifespan(plugin, swarm))
            yield

    def unavailable(self, thing: str, name: str) -> PluginUnavailable | None:
        """Return the error for a thing (`spawner`, `lua`) that a refused or disabled plugin would provide, or None."""
        distribution = distribution_of(thing, name)
        for status in self.plugins:
            known = distribution is not None and normalized(status.distribution or "") == distribution
            if status.state is not PluginState.ACTIVE and (known or f"{thing} {name}" in status.provides):
                return _unavailable(status, thing, name)
        return None

    def _absent(self) -> dict[tuple[str, str], str]:
        known = ((key, self.unavailable(*key)) for key in PROVIDERS if key not in self.catalog.provider)
        return {key: str(error) for key, error in known if error is not None}

    def _with(self, hook: str) -> list[Plugin]:
        return [plugin for plugin in self.active if hook in plugin.hooks]


def _status(entry: Entry) -> PluginStatus:
    candidate = entry.candidate
    state = PluginState.REFUSED if entry.error else PluginState.ACTIVE
    return PluginStatus(
        name=candidate.name,
        state=PluginState.DISABLED if entry.disabled else state,
        distribution=candidate.distribution,
        version=candidate.version,
        module=candidate.module,
        core=candidate.core,
        error=entry.error,
        hooks=entry.plugin.hooks if entry.plugin else (),
        provides=tuple(str(item) for item in entry.items),
    )


def _absent(error: PluginError) -> PluginStatus:
    return PluginStatus(
        name=error.plugin,
        state=PluginState.MISSING,
        distribution=error.distribution,
        version=error.version,
        error=error,
    )


def _unavailable(status: PluginStatus, thing: str, name: str) -> PluginUnavailable:
    reason = str(status.error) if status.error else "take it out of [plugins] disable and SWARM_DISABLE_PLUGINS"
    return PluginUnavailable(
        f"would provide {thing} {name!r} but is {status.state}",
        plugin=status.name,
        distribution=status.distribution,
        version=status.version,
        hint=reason,
    )
