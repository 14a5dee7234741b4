"""From a file or a text to a Blueprint's document, by whichever reader its suffix names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from swarm_core.builtin.expansion import expand
from swarm_core.codec import LIMITS
from swarm_core.contracts import Source
from swarm_core.errors import DocumentError
from swarm_core.factories import DirectiveFactory, ReaderFactory
from swarm_core.model.problem import Problem


def read_blueprint(
    path: Path | None,
    text: bytes | None,
    readers: Mapping[str, ReaderFactory],
    directives: Mapping[str, DirectiveFactory],
    *,
    name: str | None = None,
) -> Source:
    """Read a Blueprint's document from a file, or from text, and expand its directives.

    `readers` are keyed by suffix, `directives` by name. `name` is what problems call the document, the path by default.
    Text is read by the suffix of its path or name, and without one as JSON when it begins with `{`, else as YAML;
    without a path it has no folder. Raises: DocumentError `not_found`, `not_readable`, `not_regular`, `unknown_format`,
    or what the reader and the directives find.
    """
    known = name or (str(path) if path else "<text>")
    suffix = (path.suffix if path else "") or Path(known).suffix
    if text is None:
        text = _content(path, suffix, readers, known)
    elif suffix.lower() not in readers and path is None:
        suffix = ".json" if text.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else ".yaml"
    factory = readers.get(suffix.lower())
    if factory is None:
        raise _unknown_format(known, suffix, readers)
    if len(text) > LIMITS.size:
        raise _refused(known, "too_large", f"the document has more than {LIMITS.size:,} bytes")
    base = path.parent.absolute() if path else None
    return expand(factory.build().read(text, name=known, base=base), directives)


def _content(path: Path | None, suffix: str, readers: Mapping[str, ReaderFactory], name: str) -> bytes:
    """Return a file's content, one byte more than is accepted at most."""
    if path is None:
        raise TypeError("read_blueprint needs a path or text")
    try:
        if suffix.lower() not in readers and path.is_file():
            raise _unknown_format(name, suffix, readers)
        with path.open("rb") as file:
            return file.read(LIMITS.size + 1)
    except FileNotFoundError:
        raise _refused(name, "not_found", "there is no such file") from None
    except IsADirectoryError:
        raise _refused(name, "not_regular", "this is a folder, not a Blueprint") from None
    except OSError as error:
        raise _refused(name, "not_readable", f"this cannot be read: {error.strerror}") from None
    except ValueError:
        raise _refused(name, "bad_path", "the path holds a NUL character") from None


def _unknown_format(name: str, suffix: str, readers: Mapping[str, ReaderFactory]) -> DocumentError:
    what = f"nothing reads {suffix} files" if suffix else "the name has no suffix that tells the format"
    return _refused(name, "unknown_format", what, hint=f"accepted: {', '.join(sorted(readers))}")


def _refused(name: str, code: str, message: str, hint: str | None = None) -> DocumentError:
    return DocumentError([Problem(code=code, message=message, file=name, hint=hint)])
