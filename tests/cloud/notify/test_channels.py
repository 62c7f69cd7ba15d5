import asyncio
from pathlib import Path

import pytest

from cloud.errors import SettingsError
from cloud.notify.channels import AppriseChannel, LogChannel, NotSent, channels_from
from cloud.notify.texts import Language, Text
from cloud.settings import ChannelSettings, NotifySettings

TEXTS: dict[Language, Text] = {
    "en": Text(title="t", body="a <b>\nline two"),
    "zh": Text(title="标题", body="正文"),
}


def test_without_channels_the_log_is_the_channel(tmp_path: Path) -> None:
    (log,) = channels_from(NotifySettings(), tmp_path)
    assert (log.name, log.fallback) == ("log", False)
    log.send("id1", TEXTS)
    log.send("id2", TEXTS)
    lines = (tmp_path / "alerts.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 2
    assert "正文" in lines[0]


def test_the_url_comes_from_file_or_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", "json://127.0.0.1/a")
    (tmp_path / "url").write_text("json://127.0.0.1/b\n")
    settings = NotifySettings(
        channels=(
            ChannelSettings(name="one", url_env="HOOK"),
            ChannelSettings(name="two", url_file=str(tmp_path / "url"), language="zh"),
        )
    )
    one, two, log = channels_from(settings, tmp_path)
    assert [one.name, two.name, log.name] == ["one", "two", "log"]
    assert [tuple(two.languages), log.fallback] == [("zh",), True]


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        (ChannelSettings(name="a", url_env="NOT_THERE"), "set the environment variable NOT_THERE"),
        (ChannelSettings(name="a", url_file="/no/such/file"), "cannot read /no/such/file"),
        (ChannelSettings(name="a", url_env="WRONG"), "not a URL that apprise knows"),
        (ChannelSettings(name="log", url_env="RIGHT"), "none may be 'log'"),
    ],
)
def test_a_wrong_channel_is_named_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channel: ChannelSettings, words: str
) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    monkeypatch.setenv("WRONG", "secret-nonsense")
    monkeypatch.setenv("RIGHT", "json://127.0.0.1/a")
    with pytest.raises(SettingsError, match=words) as caught:
        channels_from(NotifySettings(channels=(channel,)), tmp_path)
    assert "secret" not in str(caught.value)


def test_a_log_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(NotSent, match="cannot write"):
        LogChannel(tmp_path / "no" / "log").send("id", TEXTS)


async def test_mail_goes_to_a_server(tmp_path: Path) -> None:
    mails: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := (await reader.readline()).decode():
            verb = line.split()[0].upper()
            if verb == "DATA":
                writer.write(b"354 go on\r\n")
                mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                writer.write(b"250 taken\r\n")
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 ok\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"mailto://127.0.0.1:{port}?from=fw@example.com&to=ann@example.com&format=text"
    channel = AppriseChannel("mail", url, "en")
    await asyncio.to_thread(channel.send, "batch-7", TEXTS)
    server.close()
    await server.wait_closed()
    (mail,) = mails
    assert "webhook-id: batch-7" in mail
    assert "Subject: t" in mail
    assert "a <b>" in mail
