"""The certificate and the private key of a server that is open to the network, checked before anything is started."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gyakusan import posix
from gyakusan.doors.files import head
from gyakusan.errors import BadSetting
from gyakusan.serving.access import is_loopback

_EXPIRED, _TOO_EARLY = 10, 9
"""Results of OpenSSL: X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID."""


@dataclass(frozen=True, slots=True)
class Tls:
    """What a server encrypts with.

    certificate: file with the certificate and those that lead to its issuer
    names: names and addresses that the certificate is for
    self_signed: True where clients know it only from its own file
    context: certificate and key, for OpenSSL
    """

    certificate: Path
    names: tuple[str, ...]
    self_signed: bool
    context: ssl.SSLContext = field(repr=False)

    def host_for(self, wanted: Sequence[str]) -> str:
        """Return the first of some hosts that the certificate is for, else a name of the certificate, else the first."""
        found = next((host for host in wanted if self.is_for(host)), None)
        if found is None and not is_loopback(wanted[0]):
            found = next((name for name in self.names if "*" not in name), None)
        return found or wanted[0]

    def is_for(self, host: str) -> bool:
        """Return True if the certificate is for this name or address."""
        try:
            return ipaddress.ip_address(host) in [a for name in self.names if (a := _address(name)) is not None]
        except ValueError:
            rest = host.casefold().partition(".")[2]
            return host.casefold() in self.names or (bool(rest) and f"*.{rest}" in self.names)


def open_tls(certificate: str, key: str) -> Tls:
    """Return the certificate and the key in two files of PEM.

    Raises BadSetting for files that cannot be read, a key that others can read or that is locked by a password, a key of
    another certificate, and a certificate that has expired.
    """
    files = [Path(os.path.expanduser(name)).absolute() for name in (certificate, key)]
    for file in files:
        _check_readable(file)
    _check_private(files[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load(context, *files)
    told = _told(context, files[0])
    return Tls(files[0], _names(told), bool(told) and told.get("subject") == told.get("issuer"), context)


def _check_readable(file: Path) -> None:
    try:
        head(file, 1)
    except (OSError, ValueError) as error:
        raise BadSetting(
            "{file} cannot be read: {why}.", file=str(file), why=getattr(error, "strerror", None) or str(error),
            mend="Check the path and its permissions.",
        ) from error  # fmt: skip


def _check_private(key: Path) -> None:
    """Raise BadSetting for a private key that other users of this computer can read."""
    if posix.open_to_others(key.stat().st_mode):
        raise BadSetting(
            "Other users of this computer can read the private key in {file}.", file=str(key),
            mend="Let nobody else read it: chmod 600 {file}",
        )  # fmt: skip


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    locked = []

    def password() -> str:
        locked.append(True)
        return ""

    try:
        context.load_cert_chain(certificate, key, password)
    except (ssl.SSLError, OSError, ValueError) as error:
        if locked:
            raise BadSetting(
                "The private key in {file} is locked by a password.", file=str(key),
                mend="Unlock a copy of it: openssl pkey -in {file} -out NEW.key",
            ) from error  # fmt: skip
        reason = getattr(error, "reason", None) or ""
        if "MISMATCH" in reason or reason == "NO_CERTIFICATE_ASSIGNED":  # of another kind, too
            raise BadSetting(
                "The private key in {key} is not that of the certificate in {certificate}.", key=str(key),
                certificate=str(certificate), mend="Give the key with which the certificate was made.",
            ) from error  # fmt: skip
        raise BadSetting(
            "{certificate} and {key} are not a certificate and its private key in PEM.", certificate=str(certificate),
            key=str(key), mend="Each begins with a line like -----BEGIN CERTIFICATE----- or -----BEGIN PRIVATE KEY-----.",
        ) from error  # fmt: skip


def _told(server: ssl.SSLContext, certificate: Path) -> Mapping[str, Any]:
    """Return what the certificate says of itself: a client that trusts it shakes hands with the server, in memory.

    Raises BadSetting where it has expired, or is not valid yet. {} where it serves another purpose than OpenSSL checks here.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(certificate)
        return _shaken(context, server)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code not in (_EXPIRED, _TOO_EARLY):
            return {}
        word = (
            "The certificate in {file} has expired."
            if error.verify_code == _EXPIRED
            else "The certificate in {file} is not valid yet."
        )
        raise BadSetting(word, file=str(certificate), mend="Give one that is valid today.") from error
    except ssl.SSLError:
        return {}


def _shaken(client: ssl.SSLContext, server: ssl.SSLContext) -> Mapping[str, Any]:
    """Return the certificate that a client accepted. Raises ssl.SSLError."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks = client.wrap_bio(back, there)
    answers = server.wrap_bio(there, back, server_side=True)
    for _ in range(8):
        done = 0
        for side in (asks, answers):
            try:
                side.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                continue
        if done == 2:
            break
    return asks.getpeercert() or {}


def _names(told: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names and addresses that a certificate is for."""
    found = [value for kind, value in told.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    return tuple(dict.fromkeys(name.casefold() for name in found))


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
