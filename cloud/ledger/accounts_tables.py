"""The tables of accounts, sign-ins, tokens, one-time links, sites and registered devices."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from cloud.ledger.tables import Json, Uuid, metadata

Hash = String(64)  #: SHA-256 in hex

account = Table(
    "account",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("name", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("full_name", Text),
    Column("customer", String(31)),
    Column("sites", Json, nullable=False),
    Column("password", Text),
    Column("active", Boolean, nullable=False),
    Column("language", String(8)),
    Column("zone", String(64)),
    Column("units", String(16)),
    Column("signed_in_ns", BigInteger),
)

sign_in = Table(
    "sign_in",
    metadata,
    Column("hash", Hash, primary_key=True),
    Column("account", Uuid, ForeignKey("account.id"), nullable=False, index=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("seen_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account", Uuid, ForeignKey("account.id"), nullable=False),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("scope", String(8), nullable=False),
    Column("hash", Hash, nullable=False, unique=True),
    Column("expires_ns", BigInteger, nullable=False),
    Column("used_ns", BigInteger),
    Column("revoked_ns", BigInteger),
    Index("token_by_account", "account", "id"),
)

link = Table(
    "link",
    metadata,
    Column("hash", Hash, primary_key=True),
    Column("account", Uuid, ForeignKey("account.id")),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
)

site = Table(
    "site",
    metadata,
    Column("machine", String(160), ForeignKey("machine.id"), primary_key=True),
    Column("customer", String(31), nullable=False),
    Column("site", Text),
    Column("version", Integer, nullable=False),
    Column("recorded_ns", BigInteger, nullable=False),
    Index("site_by_customer", "customer", "machine"),
)

registration = Table(
    "registration",
    metadata,
    Column("device", String(63), primary_key=True),
    Column("clock", String(8), nullable=False),
    Column("recorded_ns", BigInteger, nullable=False),
)
