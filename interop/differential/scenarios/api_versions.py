"""ApiVersions, and SASL requests on a listener without it."""

from __future__ import annotations

from kafkacompat.api.api_versions import ApiVersionsRequest
from kafkacompat.api.sasl_authenticate import SaslAuthenticateRequest
from kafkacompat.api.sasl_handshake import SaslHandshakeRequest

from ..scenario import scenario
from ..talk import Talk


@scenario("A70 A73", (0, 1, 2, 3, 4))
def served(talk: Talk, version: int) -> None:
    talk.ask(ApiVersionsRequest(client_software_name="probe", client_software_version="1.0"), version)


@scenario("B11", (3, 4))
def software_names(talk: Talk, version: int) -> None:
    for name, of in (
        ("", "1"), ("a b!", "1"), ("ok", ""), ("ok", "a b"), ("-x", "1"), ("x-", "1"), ("x.", "1"), ("x_y", "1"), ("é", "1"), ("x\n", "1"), ("a" * 50, "1"),
    ):  # fmt: skip
        talk.ask(ApiVersionsRequest(client_software_name=name, client_software_version=of), version, f"name {name!r}, version {of!r}")
    talk.still_open()


@scenario("B27", (0, 1))
def sasl_handshake(talk: Talk, version: int) -> None:
    for mechanism in ("PLAIN", "", "NOPE"):
        talk.ask(SaslHandshakeRequest(mechanism=mechanism), version, f"mechanism {mechanism!r}")
    talk.still_open()


@scenario("B27", (0, 1, 2))
def sasl_authenticate(talk: Talk, version: int) -> None:
    talk.ask(SaslAuthenticateRequest(auth_bytes=b"\0a\0b"), version)
    talk.still_open()
