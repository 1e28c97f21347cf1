"""TLS: a certificate that isn't trusted is an error of its own, and deadlines hold inside too."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from vsadmin.lib.http import Client, HttpError
from vsadmin.lib.tests.loopback import Request, Server, answer, serving

MADE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl program to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    name = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([openssl, "req", "-x509", *MADE, *name, *files], check=True, capture_output=True)
    return folder / "cert.pem"


def drip(request: Request) -> None:
    request.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    request.drip(b"x")


def hang(request: Request) -> None:
    request.hang()


@pytest.fixture
def secure(certificate: Path) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.parent / "key.pem")
    body = bytes(range(256)) * 8192
    with serving({"/": answer(), "/big": answer(body), "/drip": drip, "/hang": hang}) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        yield server


def client_for(server: Server) -> Client:
    url = server.url.replace("http:", "https:")
    return Client(user_agent="test", allowed_origins=[url], trusted_private_origins=[url], backoff=0)


def test_an_untrusted_certificate_is_refused_at_once(secure: Server) -> None:
    client = client_for(secure)
    with pytest.raises(HttpError) as caught:
        client.get(secure.url.replace("http:", "https:") + "/", deadline=5, max_bytes=100)
    assert (caught.value.kind, caught.value.answered, client.requests) == ("tls", False, 1)
    assert secure.paths == []


def test_no_tls_at_all_is_the_same() -> None:
    with serving({"/": answer()}) as server, pytest.raises(HttpError) as caught:
        client_for(server).get(server.url.replace("http:", "https:") + "/", deadline=5, max_bytes=100)
    assert caught.value.kind == "tls"


def test_reading_and_deadlines_work_inside_tls(
    secure: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    client = client_for(secure)
    url = secure.url.replace("http:", "https:")
    assert client.get(url + "/big", deadline=10, max_bytes=10**7).body == bytes(range(256)) * 8192
    assert client.get(url + "/", deadline=10, max_bytes=100).body == b"ok"
    assert secure.connections == 1
    for path, answered in [("/drip", True), ("/hang", False)]:
        with pytest.raises(HttpError) as caught:
            client.get(url + path, deadline=0.4, max_bytes=10**7)
        assert (caught.value.kind, caught.value.answered) == ("timeout", answered)
