"""Keys come from files of one kind alone, are never lost or shown, and sign as OpenSSL does."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from mobile_sdk.errors import SettingError
from mobile_sdk.signing.keys import make_keys, public_der, read_private_key, read_public_key
from mobile_sdk.signing.signature import MOST_SIGNATURE_BYTES, is_signature, is_signed_by, sign
from tests.support.command_line import mobile_sdk
from tests.support.signing import ORDER, encrypted_pem, private_pem, public_pem


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The files of a private and a public key."""
    private = tmp_path_factory.mktemp("keys") / "signer.pem"
    return private, make_keys(private)


def test_the_private_key_is_its_owners_alone_and_the_public_one_lies_beside_it(pair: tuple[Path, Path]) -> None:
    private, public = pair
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert public == private.with_name("signer.pub.pem")
    assert private.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")  # PKCS#8
    assert public.read_bytes().startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert read_private_key(private).public_key() == read_public_key(public)
    assert len(public_der(read_public_key(public))) == 91


@pytest.mark.parametrize("there", ["signer.pem", "signer.pub.pem"])
def test_a_key_that_is_there_is_never_replaced_and_no_half_pair_is_left(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine", encoding="utf-8")
    with pytest.raises(SettingError, match=rf"expected nothing at .*{there}, found a file"):
        make_keys(tmp_path / "signer.pem")
    assert [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()] == ["mine"]


def test_a_link_to_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "signer.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingError, match="expected nothing at"):
        make_keys(tmp_path / "signer.pem")
    assert not (tmp_path / "elsewhere").exists()


def test_a_pair_whose_second_file_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync
    calls: list[int] = []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        make_keys(tmp_path / "signer.pem")
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_each_key_is_for(tmp_path: Path) -> None:
    done = mobile_sdk("keygen", str(tmp_path / "keys/signer"))
    assert done.code == 0, done.err
    private, public = done.out.splitlines()
    assert "keep it secret" in private and "export --sign" in private and "keys/signer:" in private
    assert "embed --key" in public and "verify --key" in public and "keys/signer.pub.pem:" in public
    assert "BEGIN" not in done.out
    done = mobile_sdk("keygen", str(tmp_path / "keys/signer"))
    assert (done.code, done.err.count("\n")) == (2, 2) and "keys are never replaced" in done.err
    done = mobile_sdk("keygen", str(tmp_path / "keys/signer/x"))
    assert done.code == 2 and "expected a folder or nothing" in done.err
    assert mobile_sdk("keygen", str(tmp_path / "b.pem"), "--json").json["public"].endswith("b.pub.pem")


WRONG_PRIVATE = {
    "nothing": (None, "found nothing"),
    "no PEM": (b"hello", "found no PEM"),
    "damaged": (private_pem().replace(b"M", b"N"), "found one that is damaged"),
    "encrypted": (encrypted_pem(), "found an encrypted one"),
    "RSA": (private_pem("rsa"), "found one of RSA"),
    "Ed25519": (private_pem("ed25519"), "found one of Ed25519"),
    "another curve": (private_pem("secp384r1"), "found one of secp384r1"),
    "a public key": (public_pem(), "found a public key"),
    "too long": (private_pem() + b" " * 2**17, "bytes where at most"),
}
WRONG_PUBLIC = {
    "nothing": (None, "found nothing"),
    "no PEM": (b"\0" * 91, "found no PEM"),
    "RSA": (public_pem("rsa"), "found one of RSA"),
    "another curve": (public_pem("secp256k1"), "found one of secp256k1"),
    "a private key": (private_pem(), "found a private key"),
    "an encrypted private key": (encrypted_pem(), "found an encrypted private key"),
}


@pytest.mark.parametrize(("data", "reason"), WRONG_PRIVATE.values(), ids=WRONG_PRIVATE)
def test_what_is_no_private_key_is_named_without_a_letter_of_it(
    tmp_path: Path, data: bytes | None, reason: str
) -> None:
    assert_refused(tmp_path, data, reason, is_private=True)


@pytest.mark.parametrize(("data", "reason"), WRONG_PUBLIC.values(), ids=WRONG_PUBLIC)
def test_what_is_no_public_key_is_named_without_a_letter_of_it(tmp_path: Path, data: bytes | None, reason: str) -> None:
    assert_refused(tmp_path, data, reason, is_private=False)


def assert_refused(folder: Path, data: bytes | None, reason: str, *, is_private: bool) -> None:
    """Asserts one line with the reason and a hint, and that no line of the file stands in either."""
    path = folder / "given.pem"
    if data is not None:
        path.write_bytes(data)
    read = read_private_key if is_private else read_public_key
    with pytest.raises(SettingError, match=reason) as caught:
        read(path)
    assert caught.value.hint and "\n" not in str(caught.value)
    lines = [line for line in (data or b"").decode().splitlines() if len(line) > 20 and "-----" not in line]
    assert not any(line in str(caught.value) for line in lines)


def test_a_folder_and_a_pipe_are_no_keys(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, found in ((tmp_path, "a folder"), (tmp_path / "pipe", "a FIFO")):
        for read in (read_private_key, read_public_key):
            with pytest.raises(SettingError, match=f"found {found} instead of a file"):
                read(path)


def test_a_signature_is_the_same_every_time_and_its_own_bytes_alone(pair: tuple[Path, Path]) -> None:
    key, public = read_private_key(pair[0]), read_public_key(pair[1])
    signature = sign(b"bytes", key)
    assert sign(b"bytes", key) == signature
    assert is_signature(signature) and is_signed_by(public, signature, b"bytes")
    assert not is_signed_by(public, signature, b"byteS")
    assert not is_signed_by(public, sign(b"byteS", key), b"bytes")


def test_both_numbers_that_prove_the_same_are_taken_as_openssl_and_the_phones_take_them(
    pair: tuple[Path, Path],
) -> None:
    key, public = read_private_key(pair[0]), read_public_key(pair[1])
    r, s = decode_dss_signature(sign(b"bytes", key))
    other = encode_dss_signature(r, ORDER - s)
    assert is_signature(other) and is_signed_by(public, other, b"bytes")


@given(r=st.integers(1, 2**256 - 1), s=st.integers(1, 2**256 - 1))
def test_ders_one_spelling_of_two_numbers_has_the_form_of_a_signature(r: int, s: int) -> None:
    assert is_signature(encode_dss_signature(r, s))


@given(st.binary(max_size=MOST_SIGNATURE_BYTES + 4))
def test_other_bytes_do_not(data: bytes) -> None:
    assert not is_signature(data) or encode_dss_signature(*decode_dss_signature(data)) == data


def test_zeros_numbers_of_another_size_and_other_spellings_have_not_the_form_of_a_signature() -> None:
    whole = encode_dss_signature(2**255 + 1, 3)
    wrong = [
        *(encode_dss_signature(r, s) for r, s in ((0, 1), (1, 0), (2**256, 1), (1, 2**256))),
        *(whole[:end] for end in range(len(whole))),
        whole + b"\0",
        bytes.fromhex("3007020200010201ff"),  # a needless zero; a number below zero
        bytes.fromhex("30060201010201ff"),
        bytes.fromhex("308106020101020101"),  # a length of two bytes where one does
    ]
    assert [data.hex() for data in wrong if is_signature(data)] == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_openssl_makes_keys_and_signatures_that_are_ours_and_takes_ours(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    private, public = map(str, pair)
    (tmp_path / "data").write_bytes(b"bytes")
    (tmp_path / "sig").write_bytes(sign(b"bytes", read_private_key(private)))
    said = openssl("dgst -sha256 -verify", public, "-signature", "sig", "data", cwd=tmp_path)
    assert said.strip() == "Verified OK"
    openssl("dgst -sha256 -sign", private, "-out", "theirs", "data", cwd=tmp_path)
    assert is_signed_by(read_public_key(public), (tmp_path / "theirs").read_bytes(), b"bytes")
    for options in ("ecparam -name prime256v1 -genkey -noout", "ecparam -name prime256v1 -genkey"):  # SEC 1
        openssl(options, "-out", "own.pem", cwd=tmp_path)
        openssl("ec -in own.pem -pubout -out own.pub.pem", cwd=tmp_path)
        signature = sign(b"bytes", read_private_key(tmp_path / "own.pem"))
        assert is_signed_by(read_public_key(tmp_path / "own.pub.pem"), signature, b"bytes")


def openssl(options: str, *arguments: str, cwd: Path) -> str:
    """Runs openssl, which must succeed, and returns its output."""
    done = subprocess.run(
        ["openssl", *options.split(), *arguments], cwd=cwd, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_signature_over_another_hash_or_by_another_curve_is_none(pair: tuple[Path, Path]) -> None:
    key, public = read_private_key(pair[0]), read_public_key(pair[1])
    other = ec.derive_private_key(7, ec.SECP256K1())
    for signature in (key.sign(b"bytes", ec.ECDSA(hashes.SHA512())), other.sign(b"bytes", ec.ECDSA(hashes.SHA256()))):
        assert not is_signed_by(public, signature, b"bytes")
