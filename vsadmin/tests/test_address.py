"""Where the panel listens, what is said when it can't, and how a person gets there."""

import socket
from collections.abc import Iterator

import pytest

from vsadmin import address
from vsadmin.firstrun import CannotStart


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_in_use(taken: int) -> None:
    with pytest.raises(CannotStart) as refusal:
        address.bind("127.0.0.1", taken)
    assert f"Port {taken} is in use already" in refusal.value.text
    assert f"PORT={taken + 1}" in refusal.value.remedy


def test_a_port_in_use_on_every_address(taken: int) -> None:
    with pytest.raises(CannotStart, match="in use already"):
        address.bind("0.0.0.0", taken)


@pytest.mark.parametrize("host", ["no such host", "host..example", "203.0.113.7"])
def test_an_address_that_is_not_this_machines(host: str) -> None:
    with pytest.raises(CannotStart) as refusal:
        address.bind(host, 0)
    assert f"HOST is {host!r}" in refusal.value.text
    assert "HOST=127.0.0.1" in refusal.value.remedy


def test_a_port_for_root_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, where: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(CannotStart, match="only root may use"):
        address.bind("127.0.0.1", 80)


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("localhost", None)])
def test_the_address_a_person_can_use(host: str, shown: str | None) -> None:
    with address.bind(host, 0) as listening:
        listening.listen()
        found, port = address.reachable(listening)
        assert shown in (None, found)
        socket.create_connection((found, port), timeout=5).close()


def test_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("this Python has no IPv6")
    try:
        listening = address.bind("[::]", 0)
    except CannotStart:
        pytest.skip("this machine has no IPv6")
    with listening:
        listening.listen()
        found, port = address.reachable(listening)
        assert found == "127.0.0.1"
        socket.create_connection((found, port), timeout=5).close()


def test_the_way_from_another_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "games")
    monkeypatch.setattr("socket.gethostname", lambda: "box")
    assert address.tunnel("127.0.0.1", 8000) == "ssh -L 8000:127.0.0.1:8000 games@box"
    assert address.tunnel("::1", 8000) == "ssh -L 8000:[::1]:8000 games@box"


def test_the_first_answer_is_told_once(taken: int) -> None:
    with address.bind("127.0.0.1", 0) as listening:
        listening.listen()
        listening.settimeout(5)
        told: list[bool] = []
        answer = address.FirstAnswer(address.reachable(listening), "example.com", lambda: told.append(True))

        assert answer.is_awaited()
        listening.accept()[0].close()  # a server that died over it
        answer.read()
        assert not told

        assert answer.is_awaited()
        served = listening.accept()[0]
        assert b"GET /healthz HTTP/1.1\r\nHost: example.com\r\n" in served.recv(4096)
        served.sendall(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
        served.close()
        answer.read()
        assert told == [True]
        assert not answer.is_awaited()
