"""Change one digit of what is recorded, as somebody who can write to the file could: the limit was 100, and is 900."""

import sqlite3
import sys
from contextlib import closing

with closing(sqlite3.connect(sys.argv[1])) as connection, connection:
    changed = connection.execute("""UPDATE journal SET body = replace(body, '"limit":100', '"limit":900')""")
    print(f"{changed.rowcount} rows touched")
