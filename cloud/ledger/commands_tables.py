"""The table of commands to devices."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from cloud.ledger.tables import Json, Uuid, metadata

command = Table(
    "command",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("machine", String(160), ForeignKey("machine.id"), nullable=False),
    Column("device", String(63), nullable=False),
    Column("op", String(31), nullable=False),
    Column("args", Json, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("status", Integer),
    Column("text", Text),
    Column("result", Json, nullable=False),
    Column("answered_ns", BigInteger),
    Column("heard_ns", BigInteger),
    Index("command_by_machine", "machine", "id"),
)
