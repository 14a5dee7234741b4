"""The link that a run's next row is linked to, for whoever goes on with the run."""

from __future__ import annotations

from collections.abc import Iterable

from swarm_core.codec.row_text import first_link, link_after, parted
from swarm_core.contracts import RunStore
from swarm_core.errors import RunNotFound, StoreUnreadable
from swarm_core.model.run import JournalRow


async def link_at(store: RunStore, run_id: str, last_seq: int) -> str:
    """Return the link of the row that ends with event `last_seq`, 0 for none.

    A row of before there were links gets the one that it would have: so the next row's link says what the old ones are.
    Where rows cannot be read the chain is broken, and no link comes before the next row's; it is `""` then.
    """
    try:
        last = await store.rows(run_id, last_seq - 1, 1) if last_seq else ()
        link = parted(last[0].body)[1] if last else None
        return link or _link_of(run_id, await store.rows(run_id) if last else ())
    except (StoreUnreadable, RunNotFound):
        return ""


def _link_of(run_id: str, rows: Iterable[JournalRow]) -> str:
    link = first_link(run_id)
    for row in rows:
        text, own = parted(row.body)
        link = own or link_after(link, row.first_seq, row.last_seq, text)
    return link
