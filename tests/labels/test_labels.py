"""Lists of labels: what ships is whole and in order; a file of a user's own is read as editors leave it."""

import json
from importlib import resources

import pytest

from mobile_sdk.contract import Contract
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.labels.label_text import check_labels, numbered_lines
from mobile_sdk.labels.lists import SHIPPED, default_labels, numbered_labels, other_names, read_labels, shipped_labels

COUNTS = {"imagenet": 1000, "coco": 80, "coco-90": 90, "voc": 21}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_list_has_its_count_and_fits_a_contract(name):
    labels = read_labels(name, COUNTS[name])
    assert Contract(name="net", labels=labels).labels == labels and len(labels) == COUNTS[name]


@pytest.mark.parametrize(
    ("name", "index", "label"),
    [
        ("imagenet", 0, "tench"),
        ("imagenet", 134, "crane bird"),
        ("imagenet", 281, "tabby"),
        ("imagenet", 517, "crane"),
        ("imagenet", 638, "maillot"),
        ("imagenet", 999, "toilet tissue"),
        ("coco", 0, "person"),
        ("coco", 79, "toothbrush"),
        ("coco-90", 89, "toothbrush"),
        ("coco-90", 17, "dog"),
        ("voc", 0, "background"),
        ("voc", 15, "person"),
    ],
)
def test_a_number_has_the_label_that_published_nets_mean_by_it(name, index, label):
    assert shipped_labels(name)[index] == label


def test_cocos_80_are_its_90_without_those_that_no_box_has():
    unused = {"street sign", "hat", "shoe", "eye glasses", "plate", "mirror", "window", "desk", "door", "blender"}
    assert tuple(label for label in shipped_labels("coco-90") if label not in unused) == shipped_labels("coco")


def test_imagenets_folders_are_known_by_their_synset_ids_too():
    names = other_names(shipped_labels("imagenet"))
    assert names["n01440764"] == "tench" and names["n15075141"] == "toilet tissue"
    assert names["great_white_shark"] == "great white shark"
    assert len({label for name, label in names.items() if name[1:].isdigit()}) == 1000


def test_no_other_label_has_a_synset_id():
    assert other_names(("sea lion", "tench")) == {"sea_lion": "sea lion"}


def test_a_folders_name_is_never_two_labels():
    assert other_names(("sea lion", "sea_lion")) == {}


def test_a_checkpoint_of_1000_classes_has_imagenets_labels_and_others_are_numbered():
    assert default_labels(1000)[1] == "goldfish"
    assert default_labels(3) == ("class_0", "class_1", "class_2") and numbered_labels(11)[3] == "class_03"


WRITTEN = {
    "plain": b"cat\ndog\nsea lion\n",
    "no last newline": b"cat\ndog\nsea lion",
    "Windows": b"cat\r\ndog\r\nsea lion\r\n",
    "BOM": b"\xef\xbb\xbfcat\ndog\nsea lion\n",
    "UTF-16": "cat\ndog\nsea lion\n".encode("utf-16"),
    "blank lines": b"\ncat\n\n  dog \nsea lion\n\n\n",
}


@pytest.mark.parametrize("form", WRITTEN)
def test_a_text_is_read_as_editors_leave_it(form, tmp_path):
    (tmp_path / "labels.txt").write_bytes(WRITTEN[form])
    assert read_labels(str(tmp_path / "labels.txt"), 3) == ("cat", "dog", "sea lion")


@pytest.mark.parametrize("content", [["cat", "dog"], {"0": "cat", "1": "dog"}, {"1": "dog", "0": "cat"}])
def test_json_is_a_list_or_an_object_of_numbers(content, tmp_path):
    (tmp_path / "labels.json").write_text(json.dumps(content))
    assert read_labels(str(tmp_path / "labels.json"), 2) == ("cat", "dog")


def test_another_count_is_named_with_the_file(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("\n".join(map(str, range(999))))
    with pytest.raises(DataError, match=f"expected 1000 labels in {path}, found 999"):
        read_labels(str(path), 1000)
    with pytest.raises(DataError, match="expected 1000 labels in coco, found 80"):
        read_labels("coco", 1000)


def test_a_label_that_occurs_twice_is_named(tmp_path):
    (tmp_path / "labels.txt").write_text("crane\ncat\ncrane\n")
    with pytest.raises(DataError, match="found crane more than once"):
        read_labels(str(tmp_path / "labels.txt"), 3)


@pytest.mark.parametrize("content", [b"\xff\x00\x12", b"a\0b", b"caf\xe9\n", b"x" * 2**23])
def test_what_is_no_text_is_no_list(content, tmp_path):
    (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(DataError, match=r"expected a text of one label a line in .*labels\.txt"):
        read_labels(str(tmp_path / "labels.txt"), 2)


@pytest.mark.parametrize("content", ["{", "3", '["cat", 3]', '{"cat": 0, "dog": 1}', '["cat", ""]'])
def test_other_json_is_no_list(content, tmp_path):
    (tmp_path / "labels.json").write_text(content)
    with pytest.raises(DataError, match=r"found other JSON"):
        read_labels(str(tmp_path / "labels.json"), 2)


def test_the_name_of_no_list_and_no_file_gets_the_nearest():
    with pytest.raises(SettingError, match=r"did you mean imagenet\?"):
        read_labels("imagnet", 1000)
    with pytest.raises(SettingError, match=r"found 'nowhere\.txt' \(check the path\)"):
        read_labels("nowhere.txt", 1000)


def test_the_lists_are_files_of_the_package():
    packed = {entry.name for entry in resources.files("mobile_sdk.labels").iterdir()}
    assert {f"{name}.txt" for name in (*SHIPPED, "imagenet_synsets")} <= packed


UNUSABLE = {
    "blank": ("cat", " "),
    "long": ("cat", "x" * 256),
    "control character": ("cat", "do\x07g"),
    "no UTF-8": ("cat", "dog\udcff"),
    "end of a line within": ("cat", "do\u2028g"),
    "twice": ("cat", "cat"),
    "twice but for white space": ("cat", "cat "),
    "twice, composed otherwise": ("na\u00efve", "nai\u0308ve"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_labels_that_no_app_could_show_or_tell_apart_are_refused_in_one_line(kind):
    with pytest.raises(DataError) as caught:
        check_labels(UNUSABLE[kind], "labels.txt")
    assert "labels.txt" in caught.value.message and len(caught.value.message) < 200
    assert caught.value.message.isprintable()


LISTS = {
    "plain": b"cat\ndog",
    "blank lines at the end": b"cat\ndog\n\n \n",
    "byte-order mark": b"\xef\xbb\xbfcat\ndog\n",
    "UTF-16": "cat\ndog\n".encode("utf-16"),
    "CRLF": b"cat\r\ndog\r\n\r\n",
    "old Macs": b"cat\rdog\r",
    "white space": b" cat\t\n  dog \n",
}


@pytest.mark.parametrize("form", LISTS)
def test_lines_that_numbers_count_are_read_as_editors_leave_them(form, tmp_path):
    (tmp_path / "labels.txt").write_bytes(LISTS[form])
    assert numbered_lines(tmp_path / "labels.txt") == ("cat", "dog")


def test_a_blank_line_between_labels_that_numbers_count_is_named(tmp_path):
    (tmp_path / "labels.txt").write_text("cat\n\ndog\n")
    with pytest.raises(DataError, match=r"every line of .*labels\.txt, found line 2 blank"):
        numbered_lines(tmp_path / "labels.txt")
