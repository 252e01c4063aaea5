"""What has been seen before, remembered on disk, so that it takes no more memory the more there is of it."""

import sqlite3

from caif.errors import STOPPED, CaifError


class Seen:
    """A set of texts in a file of SQLite's own in the system's folder for such files, which is gone when it is closed."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("create table seen (text primary key) without rowid")
        self._db.execute("begin")  # one transaction that never ends: nothing of it is to be kept

    def add(self, text: str) -> bool:
        """Return whether the text is new, and remember it."""
        try:
            return self._db.execute("insert or ignore into seen values (?)", [text]).rowcount == 1
        except sqlite3.Error as error:
            what = f"the system's folder for temporary files cannot be used: {error}"
            raise CaifError(what, "free space there, or name another in TMPDIR", code=STOPPED) from None

    def close(self) -> None:
        """Forget everything."""
        self._db.close()
