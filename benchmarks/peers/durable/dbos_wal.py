"""DBOS on a file that was switched to SQLite's write-ahead log before it started; synchronous=FULL all the same."""

from peers.durable import dbos

ENVIRONMENT = "dbos"
REQUIRES, SCALE = dbos.REQUIRES, dbos.SCALE
HOW = {"durable_chain": "as dbos, and so are the others"}

dbos.JOURNAL_MODE = "WAL"
durable_chain = dbos.durable_chain
durable_fan_out = dbos.durable_fan_out
chains_20 = dbos.chains_20
durable_growing_state = dbos.durable_growing_state
answers = dbos.answers
