"""Repairs on their way from the ledger through the journal to the models, each once."""

import logging
import threading

import msgspec

from cloud.errors import StoreError
from cloud.filings import Filings
from cloud.journal import Entry, Kind
from cloud.ledger import Ledger, Repair

log = logging.getLogger(__name__)


class Repairs:
    """Fetches what is due in the ledger, and has noted there what the journal has.

    All but `due` is called by one thread.
    """

    def __init__(self, ledger: Ledger, filings: Filings) -> None:
        self._ledger = ledger
        self._filings = filings
        self._due = threading.Event()
        self._due.set()
        self._handing: list[Repair] = []
        self._journalled: set[str] = set()  #: that the ledger may not have noted yet

    def due(self) -> None:
        """Say that there is one in the ledger."""
        self._due.set()

    def found(self, entry: Entry) -> None:
        """Remember one that the journal has had since before the start."""
        self._journalled.add(msgspec.json.decode(entry.payload)["id"])

    def fetch(self) -> None:
        """Fetch those that the models do not know of."""
        try:
            if self._due.is_set() and not self._handing:
                self._due.clear()
                due = self._ledger.repairs_due()
                self._note({r.id for r in due} & self._journalled)
                self._handing = [r for r in due if r.id not in self._journalled]
        except StoreError as error:
            log.warning("ledger: %s", error)
            self._due.set()

    def entries(self, now_ns: int) -> list[Entry]:
        """Return the journal's entries of what was fetched; `cloud.decode` reads them back."""
        return [Entry(Kind.ACTION, now_ns, "", msgspec.json.encode(one)) for one in self._handing]

    def journalled(self) -> None:
        """Take it that the journal has these entries."""
        self._note({repair.id for repair in self._handing})
        self._handing = []

    def _note(self, repairs: set[str]) -> None:
        """Have noted in the ledger that the journal has these; a snapshot waits for it."""
        self._journalled |= repairs
        self._filings.add(handed=repairs)
