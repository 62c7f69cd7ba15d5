"""What must be there before the store opens: three buckets, one for each retention class.

Raw samples, minutes, and what stays for ever (hours, names, positions, and raw samples that came
later than the raw bucket keeps). The server drops whole shards of the first two by itself; it is
given two days more than the retention, so that the daily `trim` decides what is still answered.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules
from influxdb_client.rest import ApiException

from cloud.errors import StoreBusy
from cloud.telemetry.influx.http import Away, Server, unanswered

DAY_S: Final = 86_400
SLACK_DAYS: Final = 2
EVER_SHARD_DAYS: Final = 182  #: they hold few points, and each costs every query that meets it
TIMEOUT_MS: Final = 120_000
_EPOCH: Final = datetime(1677, 9, 22, tzinfo=UTC)
_END: Final = datetime(2262, 4, 11, tzinfo=UTC)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Days that raw samples and minutes are kept; 0: for ever."""

    raw_days: int = 90
    minute_days: int = 730


@dataclass(frozen=True, slots=True)
class Buckets:
    """The names of the three buckets."""

    raw: str
    minute: str
    ever: str

    @classmethod
    def of(cls, prefix: str) -> "Buckets":
        """Return the names that begin with `prefix`."""
        return cls(f"{prefix}_raw", f"{prefix}_minute", prefix)

    def __iter__(self) -> Iterator[str]:
        return iter((self.raw, self.minute, self.ever))


@contextmanager
def client(server: Server) -> Iterator[InfluxDBClient]:
    """Lend a client; what it raises becomes one of the store's errors."""
    with InfluxDBClient(
        server.url, server.token, org=server.org, timeout=TIMEOUT_MS, enable_gzip=server.gzip
    ) as lent:
        try:
            yield lent
        except ApiException as error:
            said = getattr(error, "message", None) or error.reason
            raise StoreBusy(f"{server.url}: answered {error.status}: {said}") from error
        except urllib3.exceptions.HTTPError as error:
            raise Away(unanswered(server.url, error)) from error


def make_buckets(server: Server, buckets: Buckets, retention: Retention) -> list[str]:
    """Make what is missing and set the retentions; return the names of the new buckets."""
    seconds = {
        buckets.raw: _seconds(retention.raw_days),
        buckets.minute: _seconds(retention.minute_days),
        buckets.ever: 0,
    }
    made = []
    with client(server) as lent:
        api = lent.buckets_api()
        for name, keep in seconds.items():
            rules = [BucketRetentionRules(type="expire", every_seconds=keep)]  # type: ignore[no-untyped-call]
            found = api.find_bucket_by_name(name)  # type: ignore[no-untyped-call]
            if found is None:
                if name == buckets.ever:
                    rules[0].shard_group_duration_seconds = EVER_SHARD_DAYS * DAY_S
                api.create_bucket(bucket_name=name, retention_rules=rules, org=server.org)
                made.append(name)
            elif [rule.every_seconds for rule in found.retention_rules] != [keep]:
                found.retention_rules = rules
                api.update_bucket(found)
                log.info("bucket %s now keeps %d days", name, keep // DAY_S)
    return made


def missing_buckets(server: Server, buckets: Buckets) -> list[str]:
    """Return the names of the buckets that are not there."""
    with client(server) as lent:
        api = lent.buckets_api()
        return [
            name
            for name in buckets
            if api.find_bucket_by_name(name) is None  # type: ignore[no-untyped-call]
        ]


def delete(
    server: Server,
    bucket: str,
    predicate: str,
    start: datetime = _EPOCH,
    stop: datetime = _END,
) -> None:
    """Delete points by their tags."""
    with client(server) as lent:
        lent.delete_api().delete(start, stop, predicate, bucket=bucket, org=server.org)


def _seconds(days: int) -> int:
    return (days + SLACK_DAYS) * DAY_S if days else 0
