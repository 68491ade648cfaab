"""Checks who made a bundle, where a key is given."""

from typing import TYPE_CHECKING

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.manifest_file import MANIFEST_FILE, BundleRefusalError
from mobile_sdk.bundle.signature_file import check_signature, read_signature
from mobile_sdk.verification.verdict import Check

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey


def run(bundle: Bundle, key: "EllipticCurvePublicKey | None") -> list[Check]:
    """Returns the check of the signature; none for a bundle without one where no key is given."""
    name, required = "signature", "the given key's signature of bundle.json"
    if key is None:
        reason = "it is signed, and no key was given that says by whom"
        return [Check.skipped(name, required=required, reason=reason)] if bundle.is_signed else []
    try:
        check_signature((bundle.path / MANIFEST_FILE).read_bytes(), read_signature(bundle.path), key)
    except BundleRefusalError as error:
        return [Check.judged(name, False, measured="none", required=required, reason=error.message)]
    return [Check.judged(name, True, measured="valid", required=required)]
