"""Commands from the service: checked, executed once, answered until they expire.

What is accepted is on disk before it is answered, and what is executed is on disk before it begins:
delivered twice, or killed at any point, a command is executed at most once and its answer is sent.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import msgspec

from edge_agent.command_file import CommandFile, CommandFileError, Kept
from edge_agent.errors import AgentError, SettingsError
from edge_agent.sender import Wire
from edge_agent.signature import Check
from models.contract import codec, topics
from models.contract.errors import ContractError
from models.contract.messages import Answer, Command
from models.contract.wire import VERSION, CommandText

EARLY_NS: Final = 300 * 10**9  #: how far this clock may be behind the service's
ANSWER_BYTES: Final = 200 * 1024
AGAIN_S: Final = 5.0  #: after the file of commands could not be written
LOOSE: Final = 100  #: refusals of commands that are not kept
log = logging.getLogger(__name__)
T = TypeVar("T")
Verb = Callable[[CommandText], Awaitable[Mapping[str, object]]]


class Refusal(AgentError):
    """A command is not executed. `status` follows HTTP; the text says what to do."""

    def __init__(self, status: int, text: str, state: str = "refused") -> None:
        super().__init__(text)
        self.status = status
        self.state = state


class Executor:
    """Takes one device's commands. `run` sends the answers, `work` executes."""

    def __init__(
        self,
        identity: str,
        file: CommandFile,
        verbs: Mapping[str, Verb],
        check: Check,
        now_ns: Callable[[], int],
    ) -> None:
        self.identity = identity
        self.verbs = verbs
        self._file = file
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commands")
        self._check = check
        self._now_ns = now_ns
        self._due = asyncio.Event()
        self._news = asyncio.Event()
        self._loose: deque[tuple[str, bytes]] = deque(maxlen=LOOSE)

    async def close(self) -> None:
        """Finish what is being written and let go of the file."""
        await self._call(self._file.close)
        self._thread.shutdown()

    async def _call(self, step: Callable[..., T], *values: object) -> T:
        """Run a step of the file in its own thread, one after the other."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, step, *values)

    async def take(self, topic: topics.Topic, command: Command) -> None:
        """Take what came on `down/cmd/{op}/{id}`."""
        _, op, command_id = topic.channel
        try:
            await self._call(self._take, op, command_id, command)
            self._due.set()
        except Refusal as refusal:
            log.warning("command %s %s: %s", op, command_id, refusal)
            answer = self._answer(command_id, refusal.state, refusal.status, str(refusal))
            self._loose.append((self._topic(op, command_id), answer))
        except CommandFileError as error:
            log.error("%s; the service sends the command again", error)
            return
        self._news.set()

    def _take(self, op: str, command_id: str, command: Command) -> None:
        text = self._read(op, command_id, command)
        if self._file.get(command_id) is not None:
            self._file.resend(command_id)
            return
        now_ns = self._now_ns()
        if text.expires <= now_ns:
            raise Refusal(408, "it expired before it arrived; ask again", "expired")
        if text.not_before > now_ns + EARLY_NS:
            raise Refusal(425, "it is not valid yet: is this device's clock behind?")
        if op not in self.verbs:
            raise Refusal(501, f"'{op}' is not known; there are {', '.join(sorted(self.verbs))}")
        kept = Kept(
            id=command_id,
            op=op,
            text=command.text,
            expires_ns=text.expires,
            step="accepted",
            answer=self._answer(command_id, "accepted", 202),
        )
        if not self._file.add(kept, now_ns):
            raise Refusal(429, "too many commands wait; ask again when they have expired")

    def _read(self, op: str, command_id: str, command: Command) -> CommandText:
        try:
            denied = self._check(command)
        except SettingsError as error:
            log.error("%s", error)
            denied = f"this device cannot read its key: {error}"
        if denied is not None:
            raise Refusal(401, denied)
        try:
            text = msgspec.json.decode(command.text, type=CommandText)
        except msgspec.DecodeError as error:
            raise Refusal(400, f"the command cannot be read: {error}") from error
        if text.v != VERSION:
            raise Refusal(505, f"version {text.v} is not spoken here; supported: {VERSION}")
        if (text.id, text.op, text.device) != (command_id, op, self.identity):
            raise Refusal(400, "the command is for another topic")
        return text

    async def work(self) -> None:
        """Execute what was accepted, one after the other, until cancelled."""
        while True:
            try:
                await self._work()
            except CommandFileError as error:
                log.error("%s; trying again", error)
                await asyncio.sleep(AGAIN_S)

    async def _work(self) -> None:
        for kept in await self._call(self._file.at, "running"):
            text = "the agent ended while it ran; it is not executed again"
            answer = self._answer(kept.id, "failed", 500, text)
            await self._call(self._file.end, kept.id, answer)
        self._news.set()
        while True:
            self._due.clear()
            for kept in await self._call(self._file.at, "accepted"):
                await self._execute(kept)
            await self._due.wait()

    async def _execute(self, kept: Kept) -> None:
        text = msgspec.json.decode(kept.text, type=CommandText)
        left_s = (text.expires - self._now_ns()) / 1e9
        await self._call(self._file.begin, kept.id)
        log.info("command %s %s", kept.op, kept.id)
        try:
            if left_s <= 0:
                raise Refusal(408, "it expired before its turn came; ask again", "expired")
            async with asyncio.timeout(left_s):
                result = await self.verbs[kept.op](text)
            answer = self._answer(kept.id, "done", 200, result=result)
        except Refusal as refusal:
            answer = self._answer(kept.id, refusal.state, refusal.status, str(refusal))
        except TimeoutError:
            answer = self._answer(kept.id, "expired", 408, "it took longer than it was valid")
        except Exception as error:
            log.exception("command %s failed", kept.op)
            answer = self._answer(kept.id, "failed", 500, f"{type(error).__name__}: {error}")
        await self._call(self._file.end, kept.id, answer)
        self._news.set()

    async def run(self, wire: Wire) -> None:
        """Send the answers over one connection until it breaks or until cancelled."""
        while True:
            self._news.clear()
            while self._loose:
                topic, payload = self._loose[0]
                await wire.publish(topic, payload)
                self._loose.popleft()
            try:
                unsent = await self._call(self._file.unsent)
                for kept in unsent:
                    await wire.publish(self._topic(kept.op, kept.id), kept.answer)
                    await self._call(self._file.sent, kept)
            except CommandFileError as error:
                log.error("%s; the service asks again", error)
            await self._news.wait()

    def _topic(self, op: str, command_id: str) -> str:
        return topics.up(self.identity, "cmd", op, command_id)

    def _answer(
        self,
        command_id: str,
        state: str,
        status: int,
        text: str | None = None,
        result: Mapping[str, object] | None = None,
    ) -> bytes:
        def encoded(answer: Answer) -> bytes:
            return codec.encode(answer, "json")

        now_ns = self._now_ns()
        said = None if text is None else text[:4000]
        answer = Answer(
            id=command_id, state=state, status=status, at_ns=now_ns, text=said, result=result or {}
        )
        try:
            payload = encoded(answer)
        except ContractError:
            payload = b""
        if 0 < len(payload) <= ANSWER_BYTES:
            return payload
        words = f"the result is larger than {ANSWER_BYTES:,} bytes; ask for less"
        return encoded(Answer(id=command_id, state="failed", status=413, at_ns=now_ns, text=words))
