"""Faulty annotations of every format: read right, left out and said, or refused in one line; never anything else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import qat
from mobile_sdk.errors import DataError
from tests.support.pictures.box_exports import (
    coco_fiftyone,
    coco_roboflow,
    name,
    one_by_one,
    voc_labelimg,
    yolo_labelimg,
    yolo_roboflow,
    yolo_ultralytics,
)

BOXES = 15  # in all ten pictures

Change = Callable[[dict[str, Any]], None]


def refused(root: Path, message: str, *named: str) -> None:
    """It is refused in one line, which names file and entry."""
    with pytest.raises(DataError) as caught:
        qat.load_box_folder(root)
    said = caught.value
    assert "\n" not in said.message and said.message.startswith("expected ") and said.hint and len(said.message) < 600
    assert message in said.message and all(each in said.message for each in named), said.message


def annotation(number: int, **fields: object) -> Change:
    """A change of one annotation."""
    return lambda said: said["annotations"][number].update(fields)


def changed(root: Path, change: Change) -> None:
    """A COCO data set with that change."""
    coco_fiftyone(root)
    said = json.loads((root / "labels.json").read_text())
    change(said)
    (root / "labels.json").write_text(json.dumps(said))


@pytest.mark.parametrize(
    ("change", "message", "entry"),
    [
        (annotation(3, bbox=[float("nan"), 1, 5, 5]), "expected finite numbers as a box's sides", "annotation id 4"),
        (annotation(3, bbox=[1, float("inf"), 5, 5]), "expected finite numbers as a box's sides", "annotation id 4"),
        (annotation(3, bbox=[1e308, 1, 1e308, 5]), "expected finite numbers as a box's sides", "annotation id 4"),
        (annotation(3, bbox=[30, 10, -5, 5]), "expected a box whose right is right of its left", "annotation id 4"),
        (annotation(3, bbox=[30, 10, 5, -5]), "expected a box whose right is right of its left", "annotation id 4"),
        (annotation(3, bbox=[1, 2, 3]), "expected COCO's format", "annotations.3.bbox"),
        (annotation(3, bbox=[]), "expected COCO's format", "annotations.3.bbox"),
        (annotation(3, bbox=None), "expected COCO's format", "annotations.3.bbox"),
        (annotation(3, bbox=["a", 1, 2, 3]), "expected COCO's format", "annotations.3.bbox.0"),
        (annotation(3, bbox=[True, 1, 2, 3]), "not true or false", "annotations.3.bbox.0"),
        (annotation(3, id=1), "found the annotation id 1 more than once", "labels.json"),
        (annotation(3, image_id=77), "expected a listed image", "image_id 77 in annotation id 4"),
        (annotation(3, image_id="x\ny"), "expected a listed image", 'image_id "x?y" in annotation id 4'),
        (annotation(3, image_id=None), "expected COCO's format", "annotations.3.image_id"),
        (annotation(3, image_id=True), "expected COCO's format", "annotations.3.image_id"),
        (annotation(3, category_id=9), "expected a listed category", "category_id 9 in annotation id 4"),
        (annotation(3, iscrowd=2), "expected COCO's format", "annotations.3.iscrowd"),
        (lambda said: said["images"][1].update(id=1), "found the image id 1 more than once", "labels.json"),
        (lambda said: said["images"][1].update(id="1"), "found the image id 1 more than once", "labels.json"),
        (lambda said: said["categories"][1].update(id=1), "found the category id 1 more than once", "labels.json"),
        (lambda said: said["categories"][1].update(name="car"), "found car more than once", "labels.json"),
        (lambda said: said["categories"][1].update(name=" car\n"), "found car more than once", "labels.json"),
        (lambda said: said["categories"][1].update(name=" "), "found label 2 blank", "labels.json"),
        (lambda said: said["categories"][1].update(name="a\nb"), "with control characters", "labels.json"),
        (lambda said: said["categories"][1].update(name="x" * 300), "of 300 letters", "labels.json"),
        (lambda said: said["categories"][1].update(name="9" * 5000), "of 5,000 letters", "labels.json"),
        (annotation(3, image_id="x" + "9" * 5000), "expected a listed image", "annotation id 4"),
        (annotation(3, image_id="9" * 5000), "expected COCO's format", "annotations.3.image_id"),
        (annotation(3, image_id=10**4000), "expected a listed image", "annotation id 4"),
        (lambda said: said["categories"][1].update(name=None), "expected COCO's format", "categories.1.name"),
        (lambda said: said["images"][1].update(file_name="gone.png"), "expected the picture 'gone.png'", "labels.json"),
        (lambda said: said["images"][1].update(file_name="../../etc/passwd"), "expected the picture", "labels.json"),
        (lambda said: said["images"][1].update(file_name="/etc/passwd"), "expected the picture", "labels.json"),
        (lambda said: said["images"][1].update(file_name=""), "expected the picture", "labels.json"),
        (lambda said: said["images"][1].update(file_name="a\0b"), "expected the picture", "labels.json"),
        (lambda said: said["images"][1].update(file_name=f"{name(0)}.png"), "found it twice", f"{name(0)}.png"),
        (lambda said: said["images"][1].update(file_name=f"./{name(0)}.PNG"), "found it twice", f"{name(0)}.png"),
        (lambda said: said["images"][1].update(width=640, height=480), "expected a picture of 640 × 480", name(1)),
        (lambda said: said["images"][1].update(width=-80, height=60), "expected a picture of -80 × 60", name(1)),
        (lambda said: said["images"].clear(), "expected COCO's format", "images"),
        (lambda said: said["categories"].clear(), "expected COCO's format", "categories"),
        (lambda said: said["annotations"].clear(), "expected boxes to learn from", "8 pictures"),
        (lambda said: [each.update(iscrowd=1) for each in said["annotations"]], "expected boxes to learn from", ""),
        (lambda said: said["images"].__delitem__(slice(1, None)), "expected a listed image", "labels.json"),
    ],
)
def test_faults_of_coco_files_are_refused_by_file_and_entry(
    tmp_path: Path, change: Change, message: str, entry: str
) -> None:
    changed(tmp_path, change)
    refused(tmp_path, message, entry)


@pytest.mark.parametrize(
    ("change", "count", "said"),
    [
        (annotation(3, bbox=[30, 10, 0, 5]), -1, "left out 1 box without area: labels.json annotation id 4"),
        (annotation(3, bbox=[30, 10, 1e-7, 5]), -1, "left out 1 box without area: labels.json annotation id 4"),
        (annotation(3, bbox=[80, 10, 7, 5]), -1, "left out 1 box outside the picture: labels.json annotation id 4"),
        (annotation(3, bbox=[-9, 10, 7, 5]), -1, "left out 1 box outside the picture: labels.json annotation id 4"),
        (annotation(3, bbox=[-1e30, 10, 1, 5]), -1, "left out 1 box"),
        (annotation(3, bbox=[70, 10, 20, 5]), 0, "cut 1 box at the picture's edge: labels.json annotation id 4"),
        (annotation(3, bbox=[-1e300, -1e300, 1.5e300, 1.5e300]), 0, "cut 1 box at the picture's edge"),
        (annotation(3, bbox=[70, 10, 10.001, 5]), 0, ""),
        (annotation(3, bbox=[40, 11, 30, 20], category_id=1, image_id=2), -1, "left out 1 box there twice"),
        (lambda said: said["images"].pop(), None, f"left out 1 picture that labels.json does not name: {name(9)}.png"),
        (
            lambda said: said["categories"].append({"id": 0, "name": "car"}),
            0,
            "left out of labels.json 1 category without a box whose name is another's",
        ),
        (lambda said: said["categories"].append({"id": 7, "name": "cat"}), 0, "no box to learn from has 1 label: cat"),
        (lambda said: said["images"][2].update(width=60, height=80), 0, "1 picture said to have width and height ex"),
    ],
)
def test_faulty_boxes_of_coco_files_are_left_out_or_cut_with_a_word(
    tmp_path: Path, change: Change, count: int | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def of_listed_pictures(written: dict[str, Any]) -> None:
        change(written)
        known = {each["id"] for each in written["images"]}
        written["annotations"] = [each for each in written["annotations"] if each["image_id"] in known]

    changed(tmp_path, of_listed_pictures)
    found = one_by_one(qat.load_box_folder(tmp_path))
    assert count is None or len(found) == BOXES + count
    lines = [line for line in capsys.readouterr().err.splitlines() if "decoding" not in line]
    assert len(lines) == bool(said) and all(line.startswith(said) for line in lines), lines


def test_crowds_and_what_is_said_to_be_ignored_are_kept_as_ignored_boxes(tmp_path: Path) -> None:
    def change(said: dict[str, Any]) -> None:
        said["annotations"][0]["iscrowd"] = 1
        said["annotations"][1]["ignore"] = 1
        said["annotations"][2]["iscrowd"] = None

    changed(tmp_path, change)
    assert sum(is_ignored for _, _, is_ignored in one_by_one(qat.load_box_folder(tmp_path))) == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "change",
    [
        lambda said: None,
        lambda said: [each.update(id=str(each["id"])) for each in said["images"]],
        lambda said: [each.update(image_id=float(each["image_id"])) for each in said["annotations"]],
        lambda said: [each.pop("id") for each in said["annotations"]],
        lambda said: [each.update(width=None, height=0) for each in said["images"]],
        lambda said: [each.update(file_name=f"C:\\data\\{each['file_name']}".upper()) for each in said["images"]],
        lambda said: [each.update(supercategory=["a"]) for each in said["categories"]],
        lambda said: said.pop("info"),
    ],
)
def test_what_tools_write_differently_in_coco_files_is_read_alike(
    tmp_path: Path, encoding: str, change: Change
) -> None:
    coco_fiftyone(tmp_path / "plain")
    plain = one_by_one(qat.load_box_folder(tmp_path / "plain"))
    changed(tmp_path / "other", change)
    file = tmp_path / "other" / "labels.json"
    file.write_text(json.dumps(json.loads(file.read_text()), ensure_ascii=False), encoding=encoding)
    assert sorted(one_by_one(qat.load_box_folder(tmp_path / "other"))) == sorted(plain)


def test_identities_may_be_texts(tmp_path: Path) -> None:
    def change(said: dict[str, Any]) -> None:
        for each in said["images"]:
            each["id"] = f"img-{each['id']}"
        for each in said["annotations"]:
            each["image_id"] = f"img-{each['image_id']}"

    changed(tmp_path, change)
    assert len(one_by_one(qat.load_box_folder(tmp_path))) == BOXES


def test_roboflows_project_is_no_label_even_where_it_bears_a_labels_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    coco_roboflow(tmp_path)
    for split in ("train", "valid"):
        file = tmp_path / split / "_annotations.coco.json"
        file.write_text(file.read_text().replace("street-7Xk2", "car"))
    assert qat.load_box_folder(tmp_path).labels == ("car", "person")
    assert capsys.readouterr().err.count("left out of _annotations.coco.json 1 category") == 2


def test_a_picture_held_out_that_is_learned_from_under_another_name_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    coco_roboflow(tmp_path)
    copied = tmp_path / "valid" / f"{name(8)}.png"
    copied.write_bytes((tmp_path / "train" / f"{name(0)}.png").read_bytes())
    qat.load_box_folder(tmp_path)
    said = f"1 picture held out that training learns from as well, pixel for pixel: {name(8)}"
    assert said in capsys.readouterr().err


Text = Callable[[str], str]


def replaced(old: str, new: str) -> Text:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return change


LEFT = "<xmin>5</xmin>"  # of the first object of picture 1


@pytest.mark.parametrize(
    ("change", "message", "entry"),
    [
        (replaced(LEFT, "<xmin>nan</xmin>"), "expected finite numbers as a box's sides", "object 1"),
        (replaced(LEFT, "<xmin>inf</xmin>"), "expected finite numbers as a box's sides", "object 1"),
        (replaced(LEFT, "<xmin>26</xmin>"), "expected a box whose right is right of its left", "object 1"),
        (replaced(LEFT, "<xmin>1_0</xmin>"), "expected a number in <xmin> of object 1", "found '1_0'"),
        (replaced(LEFT, "<xmin>5,5</xmin>"), "expected a number in <xmin> of object 1", "found '5,5'"),
        (replaced(LEFT, ""), "expected a number in <xmin> of object 1", "found ''"),
        (replaced("<name>car</name>", ""), "expected a <name> in object 2", "found bndbox"),
        (replaced("<name>car</name>", "<name> </name>"), "expected a <name> in object 2", "found bndbox"),
        (replaced("<name>car</name>", "<name>c&#9;r</name>"), "with control characters", ""),
        (replaced("<name>car</name>", f"<name>{'c' * 300}</name>"), "of 300 letters", ""),
        (replaced("<name>car</name>", f"<name>{'9' * 5000}</name>"), "of 5,000 letters", ""),
        (replaced("<difficult>0<", f"<difficult>{'9' * 5000}<"), "expected 0 or 1 as <difficult>", "found 999"),
        (replaced("bndbox", "robndbox"), "expected a <bndbox> in object 1", "robndbox"),
        (replaced("<difficult>0<", "<difficult>7<"), "expected 0 or 1 as <difficult> in object 1", "found 7"),
        (replaced("<width>80<", "<width>800<"), "expected a picture of 800 × 60 px", f"{name(1)}.png"),
        (replaced("<width>80<", "<width>wide<"), "expected a number in size/width", "found 'wide'"),
        (replaced("annotation>", "annotations>"), "expected PASCAL VOC's <annotation>", "found <annotations>"),
        (lambda text: text[:100], "expected XML in", ""),
        (lambda text: "", "expected XML in", ""),
        (lambda text: "\0" * 9, "expected XML in", ""),
        (lambda text: "<!DOCTYPE annotation>" + text, "found: a document type", ""),
        (lambda text: f'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]>{text}', "found: a document type", ""),
        (lambda text: f'<!DOCTYPE a SYSTEM "file:///etc/passwd">{text}', "found: a document type", ""),
        (lambda text: f'<?xml version="1.0" encoding="klingon"?>{text}', "expected XML in", ""),
        (lambda text: f'<?xml version="1.0" encoding="gb18030"?>{text}', "expected XML in", ""),
        (lambda text: text.replace("person", "&person;"), "expected XML in", ""),
        (lambda text: "<a>" * 100_000, "expected XML in", ""),
    ],
)
def test_faults_of_voc_files_are_refused_by_file_and_entry(
    tmp_path: Path, change: Text, message: str, entry: str
) -> None:
    voc_labelimg(tmp_path)
    file = tmp_path / f"{name(1)}.xml"
    file.write_text(change(file.read_text()))
    refused(tmp_path, message, entry)


@pytest.mark.parametrize(
    ("change", "count", "said"),
    [
        (replaced(LEFT, "<xmin>25</xmin>"), -1, f"left out 1 box without area: {name(1)}.xml object 1"),
        (replaced("<xmax>70<", "<xmax>99<"), 0, f"cut 1 box at the picture's edge: {name(1)}.xml object 2"),
        (replaced("<xmin>40</xmin>", "<xmin>400</xmin>"), None, ""),
        (replaced("</annotation>", "<!-- a comment --></annotation>"), 0, ""),
        (replaced("<truncated>0", "<part><name>head</name><bndbox><xmin>x</xmin></bndbox></part><truncated>0"), 0, ""),
        (replaced("<difficult>0</difficult>", ""), 0, ""),
        (replaced("80</width>", "0</width>"), 0, ""),
        (replaced(LEFT, "<xmin> 5.0\n</xmin>"), 0, ""),
        (lambda text: f"\n\n{text}", 0, ""),
        (lambda text: text.replace("\n", "\r\n"), 0, ""),
        (lambda text: f"\ufeff{text}", 0, ""),
    ],
)
def test_what_tools_write_differently_in_voc_files_is_read_alike_or_left_out_with_a_word(
    tmp_path: Path, change: Text, count: int | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    voc_labelimg(tmp_path)
    file = tmp_path / f"{name(1)}.xml"
    file.write_bytes(change(file.read_text()).encode())
    if count is None:
        refused(tmp_path, "expected a box whose right is right of its left", "object 2")
        return
    assert len(one_by_one(qat.load_box_folder(tmp_path))) == BOXES + count
    lines = [line for line in capsys.readouterr().err.splitlines() if "decoding" not in line]
    assert lines == ([said] if said else [])


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8-sig"])
def test_voc_files_are_read_in_the_encoding_that_they_say(tmp_path: Path, encoding: str) -> None:
    voc_labelimg(tmp_path)
    for file in tmp_path.glob("*.xml"):
        declared = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>\n'
        file.write_bytes((declared + file.read_text().replace("car", "Fußgänger")).encode(encoding))
    assert qat.load_box_folder(tmp_path).labels == ("Fußgänger", "person")


def test_difficult_objects_are_ignored(tmp_path: Path) -> None:
    voc_labelimg(tmp_path)
    file = tmp_path / f"{name(1)}.xml"
    file.write_text(file.read_text().replace("<difficult>0<", "<difficult>1<"))
    found = one_by_one(qat.load_box_folder(tmp_path))
    assert len(found) == BOXES and sum(is_ignored for _, _, is_ignored in found) == 2


def test_voc_files_and_pictures_without_each_other_are_left_out_with_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    voc_labelimg(tmp_path)
    (tmp_path / f"{name(1)}.xml").unlink()
    (tmp_path / f"{name(2)}.png").unlink()
    pictures = qat.load_box_folder(tmp_path)
    assert len(pictures.train) + len(pictures.validation) == 8
    said = capsys.readouterr().err
    assert f"left out 1 XML file without a picture: {name(2)}.xml" in said
    assert f"left out 1 picture without an XML file: {name(1)}.png" in said


def test_two_pictures_for_one_file_are_refused(tmp_path: Path) -> None:
    for export in (voc_labelimg, yolo_labelimg, yolo_ultralytics):
        root = tmp_path / export.__name__
        export(root)
        (picture,) = root.rglob(f"{name(1)}.png")
        picture.with_suffix(".jpg").write_bytes(picture.read_bytes())
        refused(root, "expected one", f"{name(1)}.jpg", f"{name(1)}.png")


FIRST = "1 0.187500 0.433333 0.250000 0.666667"


@pytest.mark.parametrize(
    ("row", "message", "entry"),
    [
        ("1 0.1 0.2 0.3", "expected 4 numbers after the class in line 1", "found 3"),
        ("1 0.1 0.2 0.3 0.4 0.9", "expected 4 numbers after the class in line 1", "found 5, of which one may be"),
        ("1 0.1 0.2 0.3 0.4 0.5 0.6 0.7", "expected 4 numbers after the class in line 1", "found 7"),
        ("1", "expected 4 numbers after the class in line 1", "found 0"),
        ("2 0.1 0.2 0.3 0.4", "expected a class from 0 to 1 in line 1", "found 2"),
        ("-1 0.1 0.2 0.3 0.4", "expected a class from 0 to 1 in line 1", "found -1"),
        ("0.5 0.1 0.2 0.3 0.4", "expected a class from 0 to 1 in line 1", "found 0.5"),
        ("nan 0.1 0.2 0.3 0.4", "expected a class from 0 to 1 in line 1", "found nan"),
        ("car 0.1 0.2 0.3 0.4", "expected a number in line 1", "found 'car'"),
        (f"{'9' * 5000} 0.1 0.2 0.3 0.4", "expected a class from 0 to 1 in line 1", "found 999"),
        (f"1 {'9' * 5000} 0.2 0.3 0.4", "expected shares of the picture, 0 to 1, in line 1", "found 999"),
        ("1,0.1,0.2,0.3,0.4", "expected a number in line 1", "1,0.1"),
        ("1 0,1 0,2 0,3 0,4", "expected a number in line 1", "0,1"),
        ("1 40 20 30 10", "expected shares of the picture, 0 to 1, in line 1", "found 40"),
        ("1 0.5 0.5 nan 0.1", "expected shares of the picture, 0 to 1, in line 1", "found nan"),
        ("1 0.5 0.5 inf 0.1", "expected shares of the picture, 0 to 1, in line 1", "found inf"),
        ("1 0.5 0.5 -0.2 0.1", "expected shares of the picture, 0 to 1, in line 1", "found -0.2"),
        ("1 0.5 0.5 1.2 0.1", "expected shares of the picture, 0 to 1, in line 1", "found 1.2"),
        ("1 0.1 0.1 0.9 0.1 1.5 0.9", "expected shares of the picture, 0 to 1, in line 1", "found 1.5"),
    ],
)
@pytest.mark.parametrize("export", [yolo_labelimg, yolo_ultralytics])
def test_faulty_rows_of_yolo_files_are_refused_by_file_and_line(
    tmp_path: Path, export: Callable[[Path], None], row: str, message: str, entry: str
) -> None:
    export(tmp_path)
    (file,) = tmp_path.rglob(f"{name(0)}.txt")
    file.write_text(row)
    refused(tmp_path, message, entry, f"{name(0)}.txt")


@pytest.mark.parametrize(
    ("content", "count", "said"),
    [
        (f"{FIRST}\r\n\r\n".encode(), 0, ""),
        (f"\n  {FIRST}  \n\n\n".encode(), 0, ""),
        (f"\ufeff{FIRST}".encode(), 0, ""),
        (FIRST.encode("utf-16"), 0, ""),
        (FIRST.replace("1 ", "1.0 ").replace(" ", "\t").encode(), 0, ""),
        (f"{FIRST}\n{FIRST}\n".encode(), 0, f"left out 1 box there twice: {name(0)}.txt line 2"),
        (b"", -1, ""),
        (b"1 0.5 0.5 0 0.1", -1, f"left out 1 box without area: {name(0)}.txt line 1"),
        (b"1 0.9 0.5 0.4 0.1", 0, f"cut 1 box at the picture's edge: {name(0)}.txt line 1"),
        (b"1 0.5 0.5 1.000001 1", 0, ""),
        (b"1 0.2 0.2 0.4 0.2 0.3 0.6", 0, "took 1 outline by the boxes around them"),
    ],
)
def test_what_tools_write_differently_in_yolo_files_is_read_alike_or_left_out_with_a_word(
    tmp_path: Path, content: bytes, count: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    yolo_labelimg(tmp_path)
    (tmp_path / f"{name(0)}.txt").write_bytes(content)
    assert len(one_by_one(qat.load_box_folder(tmp_path))) == BOXES + count
    lines = [line for line in capsys.readouterr().err.splitlines() if "decoding" not in line]
    assert lines == ([said] if said else [])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("car\n", "expected a class from 0 to 0"),
        ("", "expected a name for each class"),
        ("car\n\nperson\n", "found line 2 blank"),
        ("car\ncar\n", "found car more than once"),
        ("car\np\x07rson\n", "with control characters"),
        ("car\n" + "x" * 300, "of 300 letters"),
    ],
)
def test_faulty_names_of_classes_are_refused(tmp_path: Path, names: str, message: str) -> None:
    yolo_labelimg(tmp_path)
    (tmp_path / "classes.txt").write_text(names)
    refused(tmp_path, message)


def test_missing_and_differing_names_of_classes_are_refused(tmp_path: Path) -> None:
    yolo_labelimg(tmp_path)
    (tmp_path / "obj.names").write_text("person\ncar\n")
    refused(tmp_path, "expected the same names in all lists", "classes.txt, obj.names")
    (tmp_path / "obj.names").unlink()
    (tmp_path / "classes.txt").unlink()
    refused(tmp_path, "expected the classes' names in data.yaml or classes.txt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replaced("['car', 'person']", "[car]"), "found 1 beside nc: 2"),
        (replaced("['car', 'person']", "{0: car, 0: person}"), "found: 0 more than once"),
        (replaced("['car', 'person']", "{0: car, 2: person}"), "expected the numbers 0 to 1 as keys of names"),
        (replaced("['car', 'person']", "{car: 0, person: 1}"), "expected the numbers 0 to 1 as keys of names"),
        (replaced("['car', 'person']", "[car, no]"), "found False"),
        (replaced("['car', 'person']", "[car, ~]"), "found NoneType"),
        (replaced("['car', 'person']", "[car, car]"), "found car more than once"),
        (replaced("['car', 'person']", "[car, '']"), "found label 2 blank"),
        (replaced("['car', 'person']", "&a [*a, *a]"), "found list"),
        (replaced("['car', 'person']", "!!python/object/apply:os.getcwd []"), "expected YAML"),
        (replaced("names: ['car', 'person']", ""), "expected names"),
        (replaced("['car', 'person']", "[car, person"), "expected YAML"),
        (replaced("nc: 2", "kpt_shape: [17, 3]"), "found kpt_shape"),
        (replaced("train: ../train/images", ""), "expected train in"),
        (replaced("../train/images", "../gone/images"), "found nothing at ../gone/images"),
        (replaced("../train/images", "3"), "expected a path as train"),
        (replaced("../train/images", "[{a: b}]"), "expected a path as train"),
        (replaced("../train/images", "/"), "found it twice"),
        (replaced("../train/images", "../valid/labels"), "expected boxes to learn from"),
        (lambda text: "[" * 3000 + text, "expected YAML"),
        (lambda text: "train: train/images\n" + text, "found: train more than once"),
        (lambda text: text + "\0", "found: bytes that are no text"),
    ],
)
def test_a_faulty_data_yaml_is_refused(tmp_path: Path, change: Text, message: str) -> None:
    yolo_roboflow(tmp_path)
    file = tmp_path / "data.yaml"
    file.write_text(change(file.read_text()))
    refused(tmp_path, message)


def test_a_data_yaml_that_validates_by_what_it_trains_on_holds_out_a_fifth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    yolo_roboflow(tmp_path)
    file = tmp_path / "data.yaml"
    file.write_text(file.read_text().replace("../valid", "../train"))
    pictures = qat.load_box_folder(tmp_path)
    assert (len(pictures.train), len(pictures.validation)) == (6, 1)
    assert "names the same pictures to learn from and to validate by: a fifth is held out" in capsys.readouterr().err


def test_rows_and_pictures_of_yolo_without_each_other_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    yolo_labelimg(tmp_path)
    (tmp_path / f"{name(1)}.txt").unlink()
    (tmp_path / f"{name(2)}.png").unlink()
    pictures = qat.load_box_folder(tmp_path)
    assert len(pictures.train) + len(pictures.validation) == 9
    said = capsys.readouterr().err
    assert f"left out 1 file of rows without a picture: {name(2)}.txt" in said
    assert f"1 picture without a file of rows, taken as showing nothing: {name(1)}.png" in said


def test_exports_without_their_pictures_are_refused(tmp_path: Path) -> None:
    for export in (coco_fiftyone, voc_labelimg, yolo_labelimg, yolo_roboflow):
        root = tmp_path / export.__name__
        export(root)
        for picture in root.rglob("*.png"):
            picture.unlink()
        with pytest.raises(DataError, match="expected") as caught:
            qat.load_box_folder(root)
        assert "\n" not in caught.value.message


@pytest.mark.parametrize("export", [voc_labelimg, yolo_labelimg, coco_fiftyone])
def test_a_picture_that_does_not_decode_is_refused_by_name(tmp_path: Path, export: Callable[[Path], None]) -> None:
    export(tmp_path)
    (picture,) = tmp_path.rglob(f"{name(3)}.png")
    picture.write_bytes(picture.read_bytes()[:60])
    with pytest.raises(DataError, match=name(3)):
        qat.load_box_folder(tmp_path)
    Image.new("RGB", (1, 300)).save(picture)
    with pytest.raises(DataError, match="1 × 300 px"):
        qat.load_box_folder(tmp_path)
