import contextlib
import socket

from forewarn.broker import PORTS, free_port


def test_free_ports_differ_and_are_not_of_those_for_outgoing_connections() -> None:
    found = [free_port() for _ in range(300)]
    assert len(set(found)) == len(found)
    assert set(found) <= set(PORTS)


def test_what_is_bound_meanwhile_is_passed_over() -> None:
    with contextlib.ExitStack() as stack:
        bound = set()
        for _ in range(50):
            taken = stack.enter_context(socket.socket())
            taken.bind(("127.0.0.1", free_port()))
            bound.add(taken.getsockname()[1])
        again = {free_port() for _ in range(len(PORTS) - 600)}  # nearly once around
        assert not bound & again
