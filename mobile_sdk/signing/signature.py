"""Signs bytes, and says whose signature one is: ECDSA over P-256 with SHA-256, in DER."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

MOST_SIGNATURE_BYTES = 72
"""This bounds a signature in DER: two numbers of at most 33 bytes with the heads of three elements."""


def sign(data: bytes, key: "EllipticCurvePrivateKey") -> bytes:
    """Returns the key's signature of `data`; always the same one, as RFC 6979 derives its random number from both."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    return key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def is_signed_by(key: "EllipticCurvePublicKey", signature: bytes, data: bytes) -> bool:
    """Tells whether `signature` is one of `data` by the holder of the private key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def is_signature(data: bytes) -> bool:
    """Tells whether `data` has the form of a signature: DER's one spelling of two positive numbers of 256 bits at most.

    It needs no library, so that a malformed file is refused alike where no key is given.
    """
    if not 8 <= len(data) <= MOST_SIGNATURE_BYTES or data[0] != 0x30 or data[1] != len(data) - 2:
        return False
    second = 4 + data[3]
    return _is_number(data[2:second]) and _is_number(data[second:])


def _is_number(element: bytes) -> bool:
    """Tells whether `element` is one INTEGER of DER, above 0 and of 256 bits at most, without a needless zero."""
    if len(element) < 3 or element[0] != 0x02 or element[1] != len(element) - 2:
        return False
    digits = element[2:]
    if digits[0] == 0:
        return 1 < len(digits) <= 33 and digits[1] >= 0x80
    return digits[0] < 0x80 and len(digits) <= 32
