"""Reads, writes and checks `bundle.sig`, which says who made a bundle.

The signature is one of the bytes of `bundle.json`. They hold the hash of every other file, so nothing is outside of it.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mobile_sdk.bundle.manifest_file import MANIFEST_FILE, BundleRefusalError, plain_bytes
from mobile_sdk.signing.signature import MOST_SIGNATURE_BYTES, is_signature, is_signed_by, sign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

SIGNATURE_FILE = "bundle.sig"
_HINT = "get the bundle from its maker again, or give the key that signed it"


def write_signature(folder: Path, key: "EllipticCurvePrivateKey") -> None:
    """Signs the sealed manifest in `folder`."""
    (folder / SIGNATURE_FILE).write_bytes(sign((folder / MANIFEST_FILE).read_bytes(), key))


def read_signature(folder: Path) -> bytes | None:
    """Returns the signature of the bundle, None if it has none; raises BundleRefusalError if the file cannot be one."""
    file = folder / SIGNATURE_FILE
    if not os.path.lexists(file):
        return None
    signature = plain_bytes(file, at_most=MOST_SIGNATURE_BYTES, check="signature", hint=_HINT)
    if not is_signature(signature):
        raise BundleRefusalError(
            "signature", f"expected a signature of ECDSA over P-256 in {SIGNATURE_FILE}, found other bytes", hint=_HINT
        )
    return signature


def check_signature(manifest: bytes, signature: bytes | None, key: "EllipticCurvePublicKey") -> None:
    """Raises BundleRefusalError unless `signature` is the key's of the bytes of `bundle.json`."""
    if signature is None:
        raise BundleRefusalError("signature", f"expected a signed bundle, found no {SIGNATURE_FILE}", hint=_HINT)
    if not is_signed_by(key, signature, manifest):
        raise BundleRefusalError(
            "signature",
            f"expected the key's signature of {MANIFEST_FILE}, found one of another key or bundle",
            hint=_HINT,
        )
