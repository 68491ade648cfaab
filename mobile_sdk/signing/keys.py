"""Makes and reads the keys of signatures: ECDSA over P-256, in PEM files as OpenSSL writes them.

No message here holds anything of a key but its kind.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobile_sdk.errors import SettingError
from mobile_sdk.packages import check_installed
from mobile_sdk.system.regular_file import KIB, other_kind, read_regular

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

_MOST_KEY_BYTES = 64 * KIB
_PRIVATE, _PUBLIC = "a private key", "a public key"
_HINTS = {
    _PRIVATE: "name the private key that `mobile-sdk keygen` wrote, KEY.pem",
    _PUBLIC: "name the public key that `mobile-sdk keygen` wrote, KEY.pub.pem",
}
_DECRYPT = "decrypt it first: openssl pkcs8 -in KEY.pem -out PLAIN.pem; or sign with openssl: docs/guides/signing.md"
_LABELS = {
    "PRIVATE KEY": _PRIVATE,
    "EC PRIVATE KEY": _PRIVATE,
    "PUBLIC KEY": _PUBLIC,
    "ENCRYPTED PRIVATE KEY": "an encrypted private key",
    "CERTIFICATE": "a certificate",
    "OPENSSH PRIVATE KEY": "a private key of OpenSSH",
}


def make_keys(private: Path) -> Path:
    """Writes a new private key to `private`, for its owner alone; returns the path of its public key, beside it.

    Raises SettingError if anything is at either place: a key that is replaced is lost. Here and below, MachineError
    says which extra brings the package cryptography where it is missing.
    """
    _check_installed()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    public = private.with_name(private.name.removesuffix(".pem") + ".pub.pem")
    for path in (private, public):
        if os.path.lexists(path):
            raise _in_the_way(path)
    _make_folder(private.parent)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _create(private, secret, 0o600)
    try:
        _create(public, key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo), 0o666)
    except BaseException:
        private.unlink()
        raise
    return public


def read_private_key(path: str | os.PathLike[str]) -> "EllipticCurvePrivateKey":
    """Reads a private key, PKCS#8 or SEC 1 in PEM; raises SettingError if it is none, encrypted, or of another kind."""
    _check_installed()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _read(path, _PRIVATE)
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError as error:
        raise SettingError(f"expected a private key at {path}, found an encrypted one", hint=_DECRYPT) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _none(path, _PRIVATE, _kind(data, _PRIVATE)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _of_another_kind(path, key)
    return key


def read_public_key(path: str | os.PathLike[str]) -> "EllipticCurvePublicKey":
    """Reads a public key, SubjectPublicKeyInfo in PEM; raises SettingError if it is none, or of another kind."""
    _check_installed()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    data = _read(path, _PUBLIC)
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _none(path, _PUBLIC, _kind(data, _PUBLIC)) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _of_another_kind(path, key)
    return key


def public_der(key: "EllipticCurvePublicKey") -> bytes:
    """Returns the 91 bytes of a public key that Kotlin and Swift read: SubjectPublicKeyInfo in DER."""
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _check_installed() -> None:
    check_installed("cryptography", "keys and signatures", extra="signing")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise SettingError(
            f"expected a folder or nothing at {folder}, found a file", hint="name another file"
        ) from error


def _create(path: Path, data: bytes, mode: int) -> None:
    """Writes a file that was not there, whole or not at all; nobody else can read it at any moment."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise _in_the_way(path) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
    except BaseException:
        path.unlink()
        raise


def _in_the_way(path: Path) -> SettingError:
    found = other_kind(path) or "a file"
    return SettingError(f"expected nothing at {path}, found {found}", hint="name another file: keys are never replaced")


def _read(path: str | os.PathLike[str], wanted: str) -> bytes:
    try:
        return read_regular(Path(path), at_most=_MOST_KEY_BYTES)
    except OSError as error:
        found = "nothing" if isinstance(error, FileNotFoundError) else str(error.strerror)
        raise _none(path, wanted, found) from error


def _none(path: str | os.PathLike[str], wanted: str, found: str) -> SettingError:
    return SettingError(f"expected {wanted} in PEM at {path}, found {found}", hint=_HINTS[wanted])


def _kind(data: bytes, wanted: str) -> str:
    """Describes what a PEM file holds instead of `wanted`, by its first label."""
    label = re.search(rb"-----BEGIN ([A-Z0-9 ]+)-----", data)
    if label is None:
        return "no PEM"
    kind = _LABELS.get(label[1].decode(), "something else")
    return "one that is damaged, or of another algorithm" if kind == wanted else kind


def _of_another_kind(path: str | os.PathLike[str], key: Any) -> SettingError:
    curve = getattr(key, "curve", None)
    kind = curve.name if curve is not None else re.sub(r"^_|(Private|Public)Key$", "", type(key).__name__)
    return SettingError(
        f"expected a key of ECDSA over P-256 at {path}, found one of {kind}", hint="make one: mobile-sdk keygen KEY.pem"
    )
