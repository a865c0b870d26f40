"""The keys of SeaweedFS's inner ports: without them another user of the machine reads every object.

Its parts (master, volumes, filer, S3, admin) talk to each other over gRPC, each with a certificate
that the other side checks, and the volumes want a signature with each HTTP request. All parts are
one process, so every start draws new keys and nothing has to be renewed.
"""

import ipaddress
import json
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stack.ports import HOST
from stack.secrets import write_private

PARTS = ("master", "volume", "filer", "s3", "msg_broker", "msg_agent", "mq", "admin", "worker")
SIGNED = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
LIFE = timedelta(days=3650)
"""Of the certificates: longer than any process runs."""


def write_keys(folder: Path) -> None:
    """Write `security.toml`, which SeaweedFS reads in the folder, and the certificates it names."""
    authority_key, own_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _certificate("authority", authority_key, "authority", authority_key)
    own = _certificate("part", own_key, "authority", authority_key)
    private = own_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    files = {
        "authority.crt": authority.public_bytes(Encoding.PEM),
        "part.crt": own.public_bytes(Encoding.PEM),
        "part.key": private,
    }
    for name, data in files.items():
        write_private(folder / name, data.decode())
    write_private(folder / "security.toml", _settings(folder))


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    """A certificate of the local address; of an authority if it is its own issuer."""
    begin = datetime.now(UTC) - timedelta(days=1)
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + LIFE)
        .add_extension(x509.BasicConstraints(ca=name == issuer, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]),
            critical=False,
        )
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .sign(issuer_key, SHA256())
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"photofeed S3 {text}")])


def _settings(folder: Path) -> str:
    """The text of `security.toml`: each part has the same certificate, as a client too."""
    sections = [f'[{name}]\nkey = "{secrets.token_urlsafe(32)}"' for name in SIGNED]
    sections.append(f"[grpc]\nca = {_quoted(folder / 'authority.crt')}")
    sections += [
        f"[grpc.{part}]\ncert = {_quoted(folder / 'part.crt')}\n"
        f"key = {_quoted(folder / 'part.key')}"
        for part in (*PARTS, "client")
    ]
    return "\n".join(sections) + "\n"


def _quoted(path: Path) -> str:
    """A path as a string of TOML."""
    return json.dumps(str(path), ensure_ascii=False)
