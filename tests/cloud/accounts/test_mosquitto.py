import base64
import shutil
import subprocess
from pathlib import Path

import pytest

from cloud.accounts import mosquitto
from cloud.errors import Refused


def test_a_line_is_what_the_brokers_own_tool_writes(tmp_path: Path) -> None:
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("mosquitto_passwd is not installed (Debian: apt install mosquitto)")
    path = tmp_path / "passwd"
    subprocess.run([tool, "-c", "-b", str(path), "acme.pump1", "secret"], check=True)
    theirs = path.read_text().strip()
    salt = theirs.split("$")[3]
    ours = mosquitto.password_line("acme.pump1", "secret", base64.b64decode(salt))
    assert ours == theirs


def test_a_user_is_added_replaced_and_removed() -> None:
    one = mosquitto.with_user("", mosquitto.password_line("acme.a", "1"))
    two = mosquitto.with_user(one, mosquitto.password_line("acme.b", "2"))
    again = mosquitto.with_user(two, mosquitto.password_line("acme.a", "3"))
    assert mosquitto.users(again) == ["acme.b", "acme.a"]
    assert again.count("acme.a:") == 1
    assert mosquitto.without_user(again, "acme.a") == two.replace(one, "")
    assert mosquitto.without_user("", "acme.a") == ""


def test_passwords_are_never_the_same_twice() -> None:
    assert len({mosquitto.new_password() for _ in range(100)}) == 100
    assert len({mosquitto.password_line("a.b", "x") for _ in range(10)}) == 10


@pytest.mark.parametrize(
    "name",
    ["acme", "acme.", ".pump", "Acme.pump", "acme.pump.1", "a/b.c", "acme.p#", "+.+", "a.b\nc.d:x"],
)
def test_names_that_are_no_level_of_a_topic_are_refused(name: str) -> None:
    with pytest.raises(Refused, match=r"tenant\.device"):
        mosquitto.check_identity(name)
