"""The MQTT connection of the service: paho with manual acknowledgement.

A message is acknowledged to the broker only after it is in the journal; Receive Maximum bounds how
many are on their way. (aiomqtt and asyncio-mqtt acknowledge before our code runs: ADR 0002.) What
makes the path lossless is the receipt; the acknowledgement is only back-pressure.
"""

import logging
import math
import ssl
import struct
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cloud.errors import SettingsError
from cloud.fair import FairQueue
from cloud.ingest import sender_of
from cloud.quota import Limits, Sluice
from cloud.reader import Arrived
from cloud.receiving import Buffered, Plain
from cloud.settings import BrokerSettings
from models.contract import codec, topics
from models.contract.errors import ContractError
from models.contract.messages import MAX_PAYLOAD, Receipt

GROUP: Final = 256  #: messages handled together at most
QUEUE_BYTES: Final = 64 << 20  #: waiting to be taken; then the broker has to wait
WAIT_S: Final = 0.5  #: how long to wait for a group's first message; each look costs as much as one
GATHER_S: Final = 0.04  #: how long it may gather then: one sync and one transaction are for all
PAUSE_S: Final = 0.009  #: without a message ends it: the broker may wait for acknowledgements
REST_S: Final = 0.006  #: after all is read: a look costs as much as ten messages
NUMBERS: Final = 65_535  #: of messages: the most that may be unacknowledged where nothing is said
COMMANDS: Final = 4  #: of these: they are few, and the next ones wait
BRIEF_S: Final = 10.0  #: a connection that was lost within it was brief
RIVAL: Final = 3  #: brief ones in a row: two clients of one name end each other's for ever
LATER: Final = 20_000  #: receipts that may wait for acknowledgements of others
PACKETS: Final = 128  #: handled before what is to be sent has its turn
_UNREADABLE: Final = "\ufffd"  #: stands for a topic that is not UTF-8
TOPICS: Final = 65_536  #: whose sender is remembered
_PUBACK: Final = mqtt.PUBACK << 24 | 2 << 16  #: of four bytes; the number of a message is the rest
_PUBLISH_QOS1: Final = mqtt.PUBLISH | 1 << 1
OLDER: Final = 0x84  #: reason code of a broker that does not speak this version
log = logging.getLogger(__name__)


class _Token(msgspec.Struct, frozen=True, gc=False):
    """Which message of which connection: after a reconnect old numbers mean others."""

    epoch: int
    mid: int
    qos: int


class _Packets(deque[Any]):
    """What is to be sent. paho goes through it at a reconnect while other threads append."""

    def __iter__(self) -> Iterator[Any]:
        return iter(tuple(super().__iter__()))


class Client(mqtt.Client):
    """A client that handles what has been read ahead before it looks at the socket again.

    `on_plain` gets the messages without properties, many at a time, which it is left to
    acknowledge; for each of them paho would read bytewise and make a message, a table of properties
    and a log line.
    """

    on_plain: Callable[[Sequence[Plain]], None] | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._out_packet = _Packets()
        self._told: set[int] = set()  #: numbers of what was told and not acknowledged
        self._most = NUMBERS  #: told and not acknowledged at once
        self._later: deque[tuple[bytes, bytes]] = deque(maxlen=LATER)  #: to be told
        self._telling = threading.Lock()
        self._passed_over: list[int] = []  #: to be acknowledged when what is there is read

    def _create_socket(self) -> Any:
        return Buffered(super()._create_socket())

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Handle what is there, `PACKETS` messages at most, and rest a little if that was all."""
        done = MQTTErrorCode.MQTT_ERR_SUCCESS
        socket: Any = self.socket()
        handled = 0
        while handled < PACKETS:
            more = socket is not None and socket.fill()
            if handled and not more:
                self._send_on()
                time.sleep(REST_S)
                break
            taken = 0
            if more and not self._in_packet["command"]:
                taken = self._plains(PACKETS - handled) or socket.acks(self._told)
            handled += taken or 1
            if taken:
                continue
            done = super().loop_read(max_packets)
            socket = self.socket()
            if done != MQTTErrorCode.MQTT_ERR_SUCCESS:
                break
        self._send_on()
        return done

    def pass_over(self, mid: int) -> None:
        """Acknowledge a message of QoS 1 with the others that have just been read."""
        self._passed_over.append(mid)

    def _send_on(self) -> None:
        """Acknowledge what was passed over, and tell what there is room for now."""
        passed_over, self._passed_over = self._passed_over, []
        self.acknowledge(passed_over)
        if self._later:
            self.tell(())

    def _plains(self, most: int) -> int:
        """Hand out the next messages for which paho is not needed; return how many."""
        socket: Any = self.socket()
        if self.on_plain is None:
            return 0
        five = self._protocol == MQTTProtocolVersion.MQTTv5
        messages: list[Plain] = socket.plains(most, properties=five)
        if messages:
            self.on_plain(messages)
        return len(messages)

    def _packet_handle(self) -> MQTTErrorCode:
        """Strike off an acknowledgement that did not come whole, before paho looks at it."""
        if self._in_packet["command"] == mqtt.PUBACK:
            self._told.discard(int.from_bytes(self._in_packet["packet"][:2]))
        return super()._packet_handle()

    def acknowledge(self, mids: Iterable[int]) -> None:
        """Acknowledge messages of QoS 1 all at once: each by itself wakes the network thread."""
        words = [_PUBACK | mid for mid in mids]
        if words:
            self._packet_queue(mqtt.PUBACK, struct.pack(f"!{len(words)}I", *words), 0, 1)

    def tell(self, messages: Iterable[tuple[bytes, bytes]]) -> None:
        """Publish (topic, payload) at QoS 1, all at once, on this connection alone.

        `publish` keeps each message for a next connection, which costs more than all the rest.
        What the broker does not take yet waits for its acknowledgements (MQTT 5, 3.3.4); when
        more than `LATER` wait the oldest are left out.
        """
        with self._telling:
            self._later.extend(messages)
            room = max(0, self._most - len(self._told))
            packets = bytearray()
            for _ in range(min(room, len(self._later))):
                packets += self._packed(*self._later.popleft())
            if packets:
                self._packet_queue(mqtt.PUBLISH, packets, 0, 1)

    def _packed(self, topic: bytes, payload: bytes) -> bytearray:
        """Return a PUBLISH with a number that is not acknowledged."""
        properties = b"\0" if self._protocol == MQTTProtocolVersion.MQTTv5 else b""
        mid = self._mid_generate()
        self._told.add(mid)
        size = 4 + len(topic) + len(properties) + len(payload)
        packet = bytearray((_PUBLISH_QOS1,))
        while size > 127:
            packet.append(size & 127 | 128)
            size >>= 7
        packet.append(size)
        return packet + len(topic).to_bytes(2) + topic + mid.to_bytes(2) + properties + payload

    def begin(self, most: int = NUMBERS) -> None:
        """Forget what was told on an earlier connection; `most`: the broker's Receive Maximum.

        `COMMANDS` of it are paho's own messages.
        """
        with self._telling:
            self._told.clear()
            self._later.clear()
            self._most = max(1, most - COMMANDS)


@lru_cache(maxsize=TOPICS)
def _told_by(topic: bytes) -> tuple[str, str, bool]:
    """Return a topic as text, who sends there, and whether it is for births."""
    try:
        text = topic.decode()
    except UnicodeDecodeError:
        text = _UNREADABLE
    return text, sender_of(text), text.endswith("/up/birth")


def _tls(settings: BrokerSettings) -> ssl.SSLContext:
    """Return what TLS needs; `SettingsError` names the file that does not do."""
    at = f"broker.ca_file: {settings.ca_file}"
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file:
            at = f"broker.cert_file, key_file: {settings.cert_file}, {settings.key_file}"
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except OSError as error:
        raise SettingsError(f"{at}: {error.strerror or error}") from error
    return context


class Link:
    """Receives groups of messages and sends receipts. paho's network thread fills a queue."""

    def __init__(
        self, settings: BrokerSettings, now: Callable[[], int], limits: Limits | None = None
    ) -> None:
        self._now = now
        self._sluice = Sluice(limits or Limits())
        self._settings = settings
        self._at = f"{settings.host}:{settings.port}"
        self._queue: FairQueue[Arrived] = FairQueue(8 * GROUP, QUEUE_BYTES)
        self._stopping = False
        self.connected = threading.Event()
        self.error: str | None = None
        self.epoch = 0
        self._accepted: bool | None = None  #: whether the broker took this attempt, if it said so
        self._since_s = -BRIEF_S
        self._brief = 0  #: connections in a row that were lost soon
        clean: dict[str, Any] = {} if settings.version == 5 else {"clean_session": True}
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            protocol=MQTTProtocolVersion(settings.version),
            manual_ack=True,
            **clean,
        )
        self._client.max_inflight_messages_set(COMMANDS)
        self._client.max_queued_messages_set(20_000)
        self._client.reconnect_delay_set(1, 30)
        secret = settings.password()
        if settings.username:
            self._client.username_pw_set(settings.username, secret)
        if settings.ca_file:
            self._client.tls_set_context(_tls(settings))
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.on_plain = self._take

    def start(self) -> None:
        """Connect in the background; reconnects by itself until `stop`."""
        settings = self._settings
        options: dict[str, Any] = {}
        if settings.version == 5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = 4 * GROUP
            options = {"clean_start": True, "properties": properties}
        self._client.connect_async(settings.host, settings.port, keepalive=30, **options)
        self._client.loop_start()

    def group(self, most_s: float = math.inf, *, at_once: bool = False) -> list[Arrived]:
        """Return up to 256 messages gathered within 40 ms.

        Empty when nothing came in `most_s` seconds, or in `WAIT_S`. `at_once`: those that are
        there, without waiting for any.
        """
        if at_once:
            return self._queue.take(GROUP, 0.0)
        return self._queue.take(GROUP, min(most_s, WAIT_S), GATHER_S, PAUSE_S)

    def wake(self) -> None:
        """Let `group` return at once, if only with nothing."""
        self._queue.wake()

    @property
    def waiting(self) -> bool:
        """Whether messages wait to be taken."""
        return len(self._queue) > 0

    def refused(self) -> Counter[str]:
        """Return how many messages over their device's limit were not kept since the last call."""
        return self._sluice.refused()

    def acknowledge(self, group: Sequence[Arrived]) -> None:
        """Tell the broker that these are taken. Those of an earlier connection are left out."""
        epoch, tokens = self.epoch, [arrived.token for arrived in group]
        self._client.acknowledge(
            [
                token.mid
                for token in tokens
                if isinstance(token, _Token) and token.qos and token.epoch == epoch
            ]
        )

    def births_again(self) -> None:
        """Let the broker send what it retains once more: births that were not taken before."""
        self._client.subscribe(f"{topics.ROOT}/+/up/#", qos=1)

    def send(self, receipts: Iterable[tuple[str, Receipt]]) -> None:
        """Publish receipts at QoS 1. What is lost with a connection is said with the next batch."""
        messages = []
        for identity, receipt in receipts:
            try:
                payload = codec.encode(receipt, "json")
            except ContractError:
                log.exception("receipt for %s left out", identity)
                continue
            messages.append((topics.receipts(identity).encode(), payload))
        if self.connected.is_set():
            self._client.tell(messages)

    def command(self, topic: str, payload: bytes, *, seconds: int, correlation: bytes) -> None:
        """Publish a command at QoS 1; with MQTT 5 the broker forgets it after `seconds`."""
        properties = None
        if self._settings.version == 5:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.MessageExpiryInterval = seconds
            properties.ResponseTopic = topic.replace("/down/", "/up/")
            properties.CorrelationData = correlation
        if self.connected.is_set():  # what would queue here would be stale by then
            self._client.publish(topic, payload, qos=1, properties=properties)

    def stop(self) -> None:
        """Disconnect and end the network thread; what is still in the queue has no receipt."""
        self._stopping = True
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: mqtt.Client, *args: Any) -> None:
        self._accepted = not args[2].is_failure
        if not self._accepted:
            older = "; set broker.version = 4 for MQTT 3.1.1" if args[2].value == OLDER else ""
            self._trouble(f"{self._at} refused: {args[2]}{older}")
            return
        log.info("connected to %s", self._at)
        self.error = None
        self._since_s = time.monotonic()
        self.epoch += 1
        self._client.begin(getattr(args[3], "ReceiveMaximum", NUMBERS))
        client.subscribe(f"{topics.ROOT}/+/up/#", qos=1)

    def _on_connect_fail(self, *_: Any) -> None:
        """Say why; paho calls this while it handles the error."""
        self._trouble(f"no connection to {self._at}: {sys.exception()}")

    def _trouble(self, text: str) -> None:
        """Say why an attempt failed, once for each reason."""
        if text != self.error and not self._stopping:
            log.warning("%s; trying again", text)
            self.error = text

    def _on_subscribe(self, *_: Any) -> None:
        self.connected.set()  # only now does what devices send come here

    def _on_disconnect(self, _client: mqtt.Client, *args: Any) -> None:
        self.connected.clear()
        self.epoch += 1  # what came on it is acknowledged no more: that would come before CONNECT
        accepted, self._accepted = self._accepted, None
        if not accepted:  # nothing was lost, and a refusal has been said
            if accepted is None:
                self._trouble(f"no answer from {self._at} ({args[2]})")
            return
        self._brief = self._brief + 1 if time.monotonic() < self._since_s + BRIEF_S else 0
        why, name = str(args[2]), self._settings.client_id
        if self._brief >= RIVAL:
            why += f"; does another service use broker.client_id '{name}', too?"
        self.error = f"not connected to {self._at} ({why})"
        if not self._stopping and (self._brief <= RIVAL or math.log10(self._brief).is_integer()):
            log.warning("connection to %s lost: %s", self._at, why)

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = _UNREADABLE
        properties = message.properties
        content_type = getattr(properties, "ContentType", None) if properties else None
        plain = topic.encode(), bytes(message.payload), message.mid, message.qos
        self._take([plain], content_type)

    def _take(self, messages: Sequence[Plain], content_type: str | None = None) -> None:
        now, epoch, passes = self._now(), self.epoch, self._sluice.passes
        kept: list[tuple[str, Arrived, int]] = []
        for at_ns, (topic, payload, mid, qos) in enumerate(messages, now):  # no two at one time
            known = _told_by if len(topic) <= topics.MAX_TOPIC else _told_by.__wrapped__
            text, sender, birth = known(topic)
            if birth or passes(sender, at_ns):
                token, body = _Token(epoch, mid, qos), payload[: MAX_PAYLOAD + 1]
                kept.append((sender, Arrived(text, body, at_ns, content_type, token), len(body)))
            elif qos:
                self._client.pass_over(mid)
        while kept and not self._stopping:
            del kept[: self._queue.put(kept, 1.0)]
