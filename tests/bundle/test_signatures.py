"""A signed bundle says who made it: nothing in it is outside of the signature, and no other opens with a key."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.bundle.manifest_file import MANIFEST_FILE, BundleRefusalError
from mobile_sdk.bundle.signature_file import SIGNATURE_FILE
from mobile_sdk.bundle.writer import check_replaceable, copy_bundle
from mobile_sdk.errors import SettingError
from mobile_sdk.verification.verdict import Check, Verdict
from mobile_sdk.verification.verification import verify
from tests.support import bundles
from tests.support.command_line import SmallRun, mobile_sdk
from tests.support.fixtures.damage import content_of, resealed
from tests.support.fixtures.signed_bundles import SIGNED, signed
from tests.support.signing import private_pem, public_pem


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a private key; the public one lies beside it."""
    path = tmp_path_factory.mktemp("keys") / "signer.pem"
    path.write_bytes(private_pem())
    path.with_name("signer.pub.pem").write_bytes(public_pem())
    return path


@pytest.fixture(scope="module")
def key(private: Path) -> Path:
    return private.with_name("signer.pub.pem")


def refusal(folder: Path, key: Path) -> BundleRefusalError:
    with pytest.raises(BundleRefusalError) as caught:
        open_bundle(folder, key=key)
    return caught.value


def exported(folder: Path, **options: Any) -> Bundle:
    return lower(bundles.program(), folder, runtimes="tflite", pictures=bundles.pictures(), **options)[0]


@pytest.mark.parametrize(("opens", "change"), SIGNED.values(), ids=SIGNED)
def test_with_a_key_a_bundle_opens_only_if_the_holder_of_the_private_key_has_signed_it(
    folder: Path, key: Path, opens: bool, change: Callable[[Path], None]
) -> None:
    change(folder)
    assert open_bundle(folder).is_signed == (folder / SIGNATURE_FILE).exists(), "without a key each of them opens"
    if opens:
        assert open_bundle(folder, key=key).is_signed
    else:
        assert refusal(folder, key).check == "signature"


def test_no_byte_of_the_bundle_is_outside_of_the_signature(folder: Path, key: Path) -> None:
    signed(folder)
    for path in [*(entry["path"] for entry in content_of(folder)["files"]), MANIFEST_FILE, SIGNATURE_FILE]:
        before = (folder / path).read_bytes()
        middle = len(before) // 2
        (folder / path).write_bytes(before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :])
        expected = "signature" if path in (MANIFEST_FILE, SIGNATURE_FILE) else "hash"
        assert refusal(folder, key).check == expected, path
        (folder / path).write_bytes(before)
    open_bundle(folder, key=key)


def test_the_signature_is_checked_before_the_manifest_is_read(folder: Path, key: Path) -> None:
    signed(folder)
    resealed(folder, lambda content: content.update(schema_number=99))
    assert refusal(folder, key).check == "signature"
    (folder / MANIFEST_FILE).write_bytes(b"no JSON")
    assert refusal(folder, key).check == "signature"


def test_two_signed_exports_are_equal_to_the_byte_and_differ_from_others_in_one_file(
    pristine: Bundle, private: Path, key: Path, tmp_path: Path
) -> None:
    first, second = (exported(tmp_path / name, sign=private) for name in "ab")
    assert files_of(first) == files_of(second)
    assert files_of(first) == {**files_of(pristine), SIGNATURE_FILE: files_of(first)[SIGNATURE_FILE]}
    assert open_bundle(first.path, key=str(key)).manifest == pristine.manifest


def files_of(bundle: Bundle) -> dict[str, bytes]:
    """The bytes of every file of the bundle."""
    files = [path for path in bundle.path.rglob("*") if path.is_file()]
    return {path.relative_to(bundle.path).as_posix(): path.read_bytes() for path in files}


def test_a_copy_is_signed_and_an_export_over_it_without_a_key_is_not(private: Path, key: Path, tmp_path: Path) -> None:
    bundle = exported(tmp_path / "bundles", sign=private)
    copy = copy_bundle(bundle, tmp_path / "copy")
    assert open_bundle(copy.path, key=key).is_signed
    check_replaceable(copy.path)
    assert not exported(tmp_path / "bundles").is_signed
    assert refusal(bundle.path, key).check == "signature"


@pytest.mark.parametrize("given", [7, b"key.pem"])
def test_a_key_is_the_path_of_a_file(folder: Path, tmp_path: Path, given: Any) -> None:
    with pytest.raises(SettingError, match="as key, found"):
        open_bundle(folder, key=given)
    with pytest.raises(SettingError, match="as sign, found"):
        exported(tmp_path / "new", sign=given)


def test_a_key_that_cannot_sign_is_refused_before_anything_is_written(key: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"expected a private key in PEM at .*, found a public key"):
        exported(tmp_path / "new", sign=key)
    assert not (tmp_path / "new").exists()


def signature_of(verdict: Verdict) -> Check | None:
    return next((check for check in verdict.checks if check.name == "signature"), None)


def test_verify_says_whose_a_bundle_is_where_it_is_given_the_key(
    private: Path, key: Path, tmp_path: Path, pristine: Bundle
) -> None:
    bundle, pictures = exported(tmp_path, sign=private), bundles.pictures()[:4]
    verdict = verify(bundle, bundles.program(), pictures, key=key)
    assert verdict and (found := signature_of(verdict)) and found.outcome == "pass"
    verdict = verify(bundle, bundles.program(), pictures)
    assert verdict and (found := signature_of(verdict)) and found.outcome == "not_run"
    assert found.reason == "it is signed, and no key was given that says by whom"
    verdict = verify(pristine, bundles.program(), pictures)
    assert verdict and signature_of(verdict) is None
    verdict = verify(pristine, bundles.program(), pictures, key=key)
    assert verdict.status == "fail" and (found := signature_of(verdict)) and found.outcome == "fail"
    assert "found no bundle.sig" in found.found
    resealed(bundle.path, lambda content: content.update(name="other"))
    verdict = verify(bundle, bundles.program(), pictures, key=key)
    assert (found := signature_of(verdict)) and found.outcome == "fail"
    assert "another key or bundle" in found.found


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_openssl_checks_a_bundle_and_signs_one(private: Path, key: Path, tmp_path: Path) -> None:
    bundle = exported(tmp_path, sign=private)
    check = ("-verify", str(key), "-signature", SIGNATURE_FILE, MANIFEST_FILE)
    assert openssl(*check, cwd=bundle.path) == "Verified OK\n"
    (bundle.path / SIGNATURE_FILE).unlink()
    openssl("-sign", str(private), "-out", SIGNATURE_FILE, MANIFEST_FILE, cwd=bundle.path)
    assert open_bundle(bundle.path, key=key).is_signed


def openssl(*arguments: str, cwd: Path) -> str:
    command = ["openssl", "dgst", "-sha256", *arguments]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def test_the_commands_sign_check_and_tell(small: SmallRun, private: Path, key: Path, tmp_path: Path) -> None:
    out, settings = str(tmp_path / "signed"), ("--program", small.program, "--data", small.pictures)
    exporting = ("export", small.program, "--to", "tflite", "--out", out)
    verdicts = ("--out", str(tmp_path / "verify.json"))
    done = mobile_sdk(*exporting, "--sign", str(private))
    assert done.code == 0, done.err
    bundle = f"{out}/sides.tflite"
    assert "signed: yes" in mobile_sdk("inspect", bundle).out
    assert mobile_sdk("inspect", small.bundle("tflite"), "--json").json["signed"] is False
    done = mobile_sdk("verify", bundle, *settings, "--key", str(key), *verdicts, "--verbose")
    assert done.code == 0 and "valid (required: the given key's signature" in done.out
    done = mobile_sdk("verify", small.bundle("tflite"), *settings, "--key", str(key), *verdicts)
    assert done.code == 1 and "no bundle.sig" in done.out
    for arguments in ((*exporting, "--sign", str(key)), ("verify", bundle, *settings, "--key", str(private))):
        new = tmp_path / "new"
        done = mobile_sdk(*arguments, "--out", str(new / "file"))
        assert (done.code, done.err.count("\n")) == (2, 2) and "in PEM at" in done.err
        assert not new.exists()
