"""A certificate authority of one's own and the broker's certificate: EC P-256, for the start.

Devices and service trust the authority's certificate; its key is needed only to make the next
broker's certificate and belongs in a safe place.
"""

import datetime as dt
import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud.errors import Refused

AUTHORITY_DAYS: Final = 3_650
BROKER_DAYS: Final = 825
_HOST: Final = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.IGNORECASE)
EARLIER: Final = dt.timedelta(hours=1)  #: devices' clocks may be behind
Key = ec.EllipticCurvePrivateKey


class Issued:
    """A certificate with its key."""

    def __init__(self, certificate: x509.Certificate, key: Key) -> None:
        self.certificate = certificate
        self.key = key

    def pem(self) -> bytes:
        """Return the certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self) -> bytes:
        """Return the key, unencrypted: keep the file to its owner."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def authority(now_ns: int) -> Issued:
    """Return a new authority, valid for ten years."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "forewarn CA")])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _begun(name, name, key, now_ns, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return Issued(builder.sign(key, hashes.SHA256()), key)


def broker(issuer: Issued, hosts: Sequence[str], now_ns: int) -> Issued:
    """Return a certificate for a server under these names and addresses.

    Raises:
        Refused: one of them is neither.
    """
    named = [_named(host) for host in hosts]
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    authority_key = issuer.key.public_key()
    builder = (
        _begun(name, issuer.certificate.subject, key, now_ns, BROKER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(named), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key), critical=False
        )
    )
    return Issued(builder.sign(issuer.key, hashes.SHA256()), key)


def _begun(
    name: x509.Name, issuer: x509.Name, key: Key, now_ns: int, days: int
) -> x509.CertificateBuilder:
    now = dt.datetime.fromtimestamp(now_ns // 10**9, dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _named(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        if not _HOST.fullmatch(host) or host[-1].isdecimal():
            raise Refused(
                "/host", f"'{host}' is no name or address of a computer; give it without a port"
            ) from None
        return x509.DNSName(host)
