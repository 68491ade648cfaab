"""Keys of every kind, the same every time but for RSA's, whole and damaged."""

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The number of points of P-256: with s, ORDER − s proves the same (SEC 2, section 2.4.2)."""

NUMBER = 20261129
_PEM = serialization.Encoding.PEM
_PKCS8 = serialization.PrivateFormat.PKCS8


def signer(number: int = NUMBER, curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """A private key that is no secret."""
    return ec.derive_private_key(number, curve or ec.SECP256R1())


def private_pem(kind: str = "secp256r1", *, number: int = NUMBER) -> bytes:
    return _key(kind, number).private_bytes(_PEM, _PKCS8, serialization.NoEncryption())


def encrypted_pem() -> bytes:
    return _key("secp256r1").private_bytes(_PEM, _PKCS8, serialization.BestAvailableEncryption(b"word"))


def public_pem(kind: str = "secp256r1", *, number: int = NUMBER) -> bytes:
    return _key(kind, number).public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _key(kind: str, number: int = NUMBER) -> "PrivateKeyTypes":
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(b"7" * 32)
    curves = {"secp256r1": ec.SECP256R1(), "secp256k1": ec.SECP256K1(), "secp384r1": ec.SECP384R1()}
    return signer(number, curves[kind])
