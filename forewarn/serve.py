"""`forewarn serve cloud.toml`: run the service until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from cloud import logs, memory
from cloud import settings as cloud_settings
from cloud.app import build
from cloud.errors import CloudError
from forewarn import warming
from forewarn.broker import BrokerError, embedded

log = logging.getLogger("forewarn")
WELCOME: Final = (
    "\nno accounts yet: everybody on this computer may do everything.\n"
    "To make the administrator, open {link} (works once, for a day)\n"
)


async def serve(settings: cloud_settings.CloudSettings) -> None:
    """Run until a signal comes, then finish what is in hand and stop."""
    app = await asyncio.to_thread(build, settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with app.running():
        api = settings.api
        scheme = "https" if api.cert_file else "http"
        memory.keep()
        log.info("ready: %s://%s:%d", scheme, api.host, api.port)
        link = await asyncio.to_thread(app.setup_link)
        if link is not None:
            print(WELCOME.format(link=link), flush=True)
        await app.until(stop.wait())
        log.info("stopping")


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="forewarn serve", description=__doc__)
    parser.add_argument("settings", type=Path, nargs="?", metavar="cloud.toml",
                        help="the service's settings (default: a trial on this computer, "
                        "with its data in ./var/cloud)")  # fmt: skip
    parser.add_argument(
        "--embedded-broker",
        action="store_true",
        help="start a broker of its own on loopback (trial on one machine; no passwords)",
    )
    parser.add_argument(
        "--verbose", action="store_true", help="also log what is of use to developers"
    )
    return parser.parse_args(arguments)


@contextlib.contextmanager
def _broker(settings: cloud_settings.CloudSettings) -> Iterator[cloud_settings.CloudSettings]:
    """Run a broker of our own; yield the settings with its address."""
    with (
        tempfile.TemporaryDirectory(prefix="forewarn-") as folder,
        embedded(Path(folder), port=settings.broker.port) as broker,
    ):
        log.warning(
            "embedded broker %s on 127.0.0.1:%d, for this computer: no sign-in, trial only",
            broker.name,
            broker.port,
        )
        reached = msgspec.structs.replace(settings.broker, host="127.0.0.1", version=broker.version)
        yield msgspec.structs.replace(settings, broker=reached)


def main(arguments: list[str]) -> int:
    """Run the service; status 1 with a reason when it cannot start or had to stop."""
    options = _options(arguments)
    try:
        settings = (
            cloud_settings.load(options.settings)
            if options.settings
            else cloud_settings.CloudSettings()
        )
        logs.configure(
            form=settings.log.format,
            level="debug" if options.verbose else settings.log.level,
            known=cloud_settings.secrets_of(settings),
        )
        memory.tune()
        warming.ready(settings.telemetry.store)
        with contextlib.ExitStack() as stack:
            if options.embedded_broker:
                settings = stack.enter_context(_broker(settings))
            asyncio.run(serve(settings))
    except (CloudError, BrokerError) as error:
        print(f"forewarn serve: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # while the models were being compiled
        log.info("stopped before the start")
    return 0
