"""The tables of the file, as the steps that led to them."""

from __future__ import annotations

import sqlite3

APPLICATION_ID = 0x7377726D
"""`swrm`: what stands in the header of each file of ours."""

_RUNS = (
    """
    CREATE TABLE owners (
        id TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, boot TEXT, started TEXT,
        seen_at REAL NOT NULL, seen_mono REAL NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE TABLE blueprints (hash TEXT PRIMARY KEY, body TEXT NOT NULL)",
    # The result may be large and comes last: what stands before it is read without it.
    """
    CREATE TABLE runs (
        num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL, status TEXT NOT NULL, owner TEXT,
        key TEXT, parent TEXT, blueprint_id TEXT NOT NULL, blueprint_hash TEXT NOT NULL, created_at REAL NOT NULL,
        updated_at REAL NOT NULL, ended_at REAL, cancel TEXT, error TEXT, counts TEXT NOT NULL, launch TEXT NOT NULL,
        result TEXT
    )
    """,
    "CREATE UNIQUE INDEX runs_key ON runs (key) WHERE key IS NOT NULL",
    "CREATE INDEX runs_status ON runs (status)",
    "CREATE INDEX runs_owner ON runs (owner) WHERE owner IS NOT NULL",
    "CREATE INDEX runs_cancel ON runs (owner) WHERE cancel IS NOT NULL",
    "CREATE INDEX runs_blueprint ON runs (blueprint_hash)",
    # `id` is the run's number times 2^32 plus the number of the last event: a run's rows stand together, in order.
    "CREATE TABLE journal (id INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, body TEXT NOT NULL)",
    """
    CREATE TABLE questions (
        num INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, run INTEGER NOT NULL REFERENCES runs, task_id TEXT NOT NULL,
        address TEXT NOT NULL, agent TEXT NOT NULL, question TEXT NOT NULL, schema TEXT NOT NULL, who TEXT NOT NULL,
        asked_at REAL NOT NULL, expires_at REAL, has_default INTEGER NOT NULL, fallback TEXT NOT NULL,
        state TEXT NOT NULL, answer TEXT NOT NULL, answered_by TEXT, answered_at REAL, taken INTEGER NOT NULL DEFAULT 0
    )
    """,
    "CREATE INDEX questions_run ON questions (run)",
    "CREATE INDEX questions_answered ON questions (run) WHERE state = 'answered' AND taken = 0",
    "CREATE INDEX questions_due ON questions (expires_at) WHERE state = 'open' AND expires_at IS NOT NULL",
)

_OUTPUT = """
    num INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES output_runs, ref INTEGER NOT NULL, task_id TEXT NOT NULL,
    attempt INTEGER NOT NULL, producer TEXT NOT NULL, parents TEXT, head TEXT NOT NULL, value TEXT, digest BLOB
"""

_OUTPUTS = (
    "CREATE TABLE output_runs (num INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE)",
    # The upper half of `ref` is drawn from the task id: one index finds an output by its reference and those of a task.
    f"CREATE TABLE outputs ({_OUTPUT})",
    "CREATE INDEX outputs_ref ON outputs (ref)",
    "CREATE INDEX outputs_producer ON outputs (producer)",
    "CREATE INDEX outputs_run ON outputs (run)",
    # What came last, until there is enough of it to be moved at once: without an index a commit touches one page.
    f"CREATE TABLE new_outputs ({_OUTPUT})",
    # A body that is NULL stands in a file.
    "CREATE TABLE blobs (num INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, body BLOB)",
    """
    CREATE TABLE blob_refs (
        run INTEGER NOT NULL REFERENCES output_runs, blob INTEGER NOT NULL REFERENCES blobs, PRIMARY KEY (run, blob)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX blob_refs_blob ON blob_refs (blob)",
)

_BLUEPRINTS = (
    # What is archived has a time here, and who did it.
    """
    CREATE TABLE blueprint_ids (
        num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, archived_at REAL, archived_by TEXT
    )
    """,
    """
    CREATE TABLE blueprint_versions (
        blueprint INTEGER NOT NULL REFERENCES blueprint_ids, number INTEGER NOT NULL, version TEXT NOT NULL,
        parents TEXT NOT NULL, committed_at REAL NOT NULL, label TEXT, said TEXT NOT NULL,
        PRIMARY KEY (blueprint, number)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX blueprint_versions_version ON blueprint_versions (blueprint, version)",
    "CREATE TABLE blueprint_texts (version TEXT PRIMARY KEY, body TEXT NOT NULL)",
)

_ENHANCE = (
    # `told` is the new version or the reason as JSON; owner, attempt and until are those of the last taking.
    """
    CREATE TABLE issues (
        num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL, state TEXT NOT NULL, told TEXT,
        owner TEXT, attempt INTEGER NOT NULL DEFAULT 0, until REAL
    )
    """,
    "CREATE INDEX issues_open ON issues (num) WHERE state IN ('pending', 'in_flight')",
    "CREATE TABLE enhance_settings (id TEXT PRIMARY KEY, body TEXT NOT NULL)",
    """
    CREATE TABLE enhance_log (
        num INTEGER PRIMARY KEY, issue_id TEXT NOT NULL UNIQUE, blueprint_id TEXT NOT NULL, ts_ms INTEGER NOT NULL,
        body TEXT NOT NULL
    )
    """,
    "CREATE INDEX enhance_log_time ON enhance_log (ts_ms)",
    "CREATE INDEX enhance_log_blueprint ON enhance_log (blueprint_id, ts_ms)",
)

# No table changes: long Blueprints of runs are compressed from here on, and rows of the journal do not repeat task ids.
_SHORTER: tuple[str, ...] = ()

MIGRATIONS: tuple[tuple[str, ...], ...] = (_RUNS, _OUTPUTS, _BLUEPRINTS, _ENHANCE, _SHORTER)
"""What leads from version n to version n + 1 stands at place n. A step that was released is never changed."""

LATEST = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the schema; 0 in a new file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection, *, to: int = LATEST) -> None:
    """Take the schema to a version; belongs into a transaction, so that it is done as a whole or not at all."""
    for version in range(version_of(connection), to):
        for statement in MIGRATIONS[version]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version + 1}")
