"""XML of CVAT keeps everything; what is no such file, or a trap, is refused in a line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from annotation.one_of_each import TASK, plain
from vitruve.errors import InputError
from vitruve.formats import cvat_xml
from vitruve.formats.cvat_xml_writer import write_task
from vitruve.formats.hub import read_labels, recognise
from vitruve.structures.annotation import AnnotationTask, LabelSpec, Shape, TaskFrame, Track

# As CVAT 2.x writes 'CVAT for images 1.1', shortened.
IMAGES = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id> <name>weeds</name> <size>2</size> <mode>annotation</mode> <overlap>0</overlap>
      <created>2026-01-01 10:00:00+00:00</created> <updated>2026-01-02 10:00:00+00:00</updated>
      <subset>Train</subset>
      <labels>
        <label><name>Dock</name><color>#ff0000</color><type>any</type>
          <attributes><attribute><name>size</name><mutable>False</mutable><input_type>select</input_type>
            <default_value>small</default_value><values>small
large</values></attribute></attributes></label>
        <label><name>mouse</name><color>#00ff00</color><type>skeleton</type><attributes></attributes>
          <svg>&lt;line x1="1" y1="2" x2="3" y2="4" data-type="edge" data-node-from="2" data-node-to="1"&gt;&lt;/line
&gt;&lt;circle r="1" cx="1" cy="2" data-type="element node" data-element-id="1" data-node-id="1"
data-label-name="tail"&gt;&lt;/circle&gt;&lt;circle r="1" cx="3" cy="4" data-type="element node" data-element-id="2"
data-node-id="2" data-label-name="nose"&gt;&lt;/circle&gt;</svg></label>
        <label><name>nose</name><color>#000000</color><type>points</type><attributes></attributes>
          <parent>mouse</parent></label>
        <label><name>tail</name><color>#000000</color><type>points</type><attributes></attributes>
          <parent>mouse</parent></label>
      </labels>
    </task>
    <dumped>2026-01-03 10:00:00+00:00</dumped>
  </meta>
  <image id="0" name="d/a.png" width="40" height="30">
    <box label="Dock" source="manual" occluded="1" xtl="1.00" ytl="2.50" xbr="11.00" ybr="12.50" z_order="1">
      <attribute name="size">large</attribute>
    </box>
    <polygon label="Dock" source="auto" occluded="0" points="1.00,2.00;3.00,4.00;5.00,1.00" z_order="0"></polygon>
  </image>
  <image id="1" name="d/b.png" width="40" height="30">
    <skeleton label="mouse" source="manual" z_order="0">
      <points label="nose" source="manual" outside="0" occluded="1" points="5.50,6.50"></points>
      <points label="tail" source="manual" outside="1" occluded="0" points="0.00,0.00"></points>
    </skeleton>
  </image>
</annotations>
"""

# As CVAT writes 'CVAT for video 1.1': every frame, interpolated ones too.
VIDEO = """<annotations><version>1.1</version>
<meta><task><id>8</id><name>v</name><size>3</size><mode>interpolation</mode><start_frame>10</start_frame>
<stop_frame>14</stop_frame><frame_filter>step=2</frame_filter>
<labels><label><name>Dock</name><type>rectangle</type><attributes/></label></labels>
<original_size><width>40</width><height>30</height></original_size><source>v.mp4</source></task></meta>
<track id="0" label="Dock" source="manual">
<box frame="10" keyframe="1" outside="0" occluded="0" xtl="1.0" ytl="1.0" xbr="5.0" ybr="5.0" z_order="0"></box>
<box frame="12" keyframe="0" outside="0" occluded="0" xtl="2.0" ytl="1.0" xbr="6.0" ybr="5.0" z_order="0"></box>
<box frame="14" keyframe="1" outside="1" occluded="0" xtl="3.0" ytl="1.0" xbr="7.0" ybr="5.0" z_order="0"></box>
</track></annotations>"""


def test_everything_comes_back(tmp_path: Path) -> None:
    numbered = replace(TASK, id=5, shapes=tuple(replace(s, id=10 + n) for n, s in enumerate(TASK.shapes)))
    numbered = replace(numbered, tracks=tuple(replace(t, id=n) for n, t in enumerate(TASK.tracks)))
    numbered = replace(numbered, frames=(*TASK.frames[:3], replace(TASK.frames[3], deleted=True)), status="completed")
    write_task(numbered, tmp_path / "a.xml")
    assert cvat_xml.read_task(tmp_path / "a.xml") == numbered


def test_frames_of_a_video_come_back(tmp_path: Path) -> None:
    frames = tuple(TaskFrame("sub/v.mp4", 40, 30, index=index) for index in (3, 5, 9))
    task = AnnotationTask(
        "v", TASK.labels, frames, TASK.shapes[-2:], (replace(TASK.tracks[0], shapes=TASK.tracks[0].shapes[:2]),)
    )
    write_task(task, tmp_path / "a.xml")
    assert plain(cvat_xml.read_task(tmp_path / "a.xml")) == plain(task)


def test_what_cvat_writes_of_images(tmp_path: Path) -> None:
    file = tmp_path / "annotations.xml"
    file.write_text(IMAGES, encoding="utf-8")
    task = cvat_xml.read_task(file)
    assert (task.id, task.name, task.subset, task.updated) == (7, "weeds", "Train", "2026-01-02 10:00:00+00:00")
    assert task.labels[0].attributes[0].values == ("small", "large")
    mouse = task.labels[1]
    assert [p.name for p in mouse.parts] == ["tail", "nose"]
    assert mouse.edges == (("nose", "tail"),)
    assert mouse.layout == ((1, 2), (3, 4))
    box, polygon, skeleton = task.shapes
    assert box == Shape(
        "rectangle", "Dock", 0, (1, 2.5, 11, 12.5), occluded=True, z_order=1, attributes=(("size", "large"),)
    )
    assert polygon.points == (1, 2, 3, 4, 5, 1) and polygon.source == "auto"
    assert [(p.label, p.outside) for p in skeleton.parts] == [("tail", True), ("nose", False)]
    labels = read_labels(tmp_path)
    assert recognise(file).NAME == recognise(tmp_path).NAME == "cvat_xml"
    assert labels.skeleton.names == ("tail", "nose")
    np.testing.assert_array_equal(labels[0].instances.boxes[0], [[0.5, 2, 10.5, 12], [0.5, 0.5, 4.5, 3.5]])
    np.testing.assert_array_equal(labels[1].instances.keypoints[0, 0], [[np.nan, np.nan], [5, 6]])
    np.testing.assert_array_equal(labels[1].instances.visible[0, 0], [0, 1])
    assert labels.categories == ("Dock", "mouse")
    assert labels[0].session == "d" and labels[0].split == "train"


def test_what_cvat_writes_of_videos(tmp_path: Path) -> None:
    (tmp_path / "v.xml").write_text(VIDEO, encoding="utf-8")
    task = cvat_xml.read_task(tmp_path / "v.xml")
    assert task.frames == tuple(TaskFrame("v.mp4", 40, 30, index=index) for index in (10, 12, 14))
    assert [(s.frame, s.keyframe, s.outside) for s in task.tracks[0].shapes] == [
        (0, True, False),
        (1, False, False),
        (2, True, True),
    ]
    labels = read_labels(tmp_path / "v.xml")
    assert [f.first_image.index for f in labels] == [10, 12, 14]
    assert [f.instances.boxes.shape[1] for f in labels] == [1, 1, 0]


def test_the_order_of_parts_does_not_matter(tmp_path: Path) -> None:
    lines = IMAGES.splitlines()
    place = next(n for n, line in enumerate(lines) if '<points label="nose"' in line)
    lines[place], lines[place + 1] = lines[place + 1], lines[place]
    for name, text in (("a", IMAGES), ("b", "\n".join(lines))):
        (tmp_path / f"{name}.xml").write_text(text, encoding="utf-8")
    one, other = (cvat_xml.read_task(tmp_path / f"{name}.xml") for name in "ab")
    assert one.shapes == other.shapes


BOMB = "<!DOCTYPE a [" + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "x" * 10}">' for n in range(9))


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (BOMB + "]>", "&a8;"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>', "&x;"),
        ('<!DOCTYPE annotations SYSTEM "http://127.0.0.1:1/a.dtd">', ""),
    ],
)
def test_bombs_and_entities_are_refused(head: str, body: str, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(f"{head}<annotations><version>{body}</version></annotations>")
    with pytest.raises(InputError, match=r"a\.xml: defines entities or a document type \(\w+\), .*; refused") as caught:
        read_labels(tmp_path / "a.xml")
    assert "\n" not in str(caught.value)


def test_a_bomb_in_a_drawing_is_refused(tmp_path: Path) -> None:
    trap = "&lt;!DOCTYPE a [&lt;!ENTITY a 'x'&gt;]&gt;&lt;circle&gt;&amp;a;&lt;/circle&gt;"
    (tmp_path / "a.xml").write_text(IMAGES.replace("<svg>", f"<svg>{trap}"), encoding="utf-8")
    with pytest.raises(InputError, match="label mouse: its drawing is no SVG that can be read"):
        read_labels(tmp_path / "a.xml")


@pytest.mark.parametrize(
    ("old", "fresh", "message"),
    [
        ('xtl="1.00"', 'xtl="one"', r"a\.xml: d/a\.png: xtl of a <box> 'one' is no number"),
        ('xtl="1.00"', "", r"a\.xml: d/a\.png: xtl of a <box> is missing"),
        ('<box label="Dock"', '<box label=""', r"d/a\.png: a <box> has no label"),
        (
            '<box label="Dock"',
            '<box label="Dok"',
            r"label 'Dok' is not listed \(did you mean 'Dock'\?\); it has Dock, mouse",
        ),
        ('<points label="nose"', '<points label="ear"', r"d/b\.png: label 'ear' is not listed; it has tail, nose"),
        ("1.00,2.00;3.00,4.00", "1.00,2.00;3.00", r"points='1.00,2.00;3.00;5.00,1.00' of a <polygon> must be numbers"),
        ("<polygon", "<blob", "not XML"),
        ('id="1" name', 'id="0" name', "two images have id 0"),
        ("<parent>mouse<", "<parent>rat<", "label nose is part of 'rat', which is no label"),
        ('data-label-name="tail"', 'data-label-name="x"', "its drawing has a point 'x', which is none of its parts"),
        ("<annotations>", "<annotation>", "not XML"),
    ],
)
def test_what_is_wrong_is_said(old: str, fresh: str, message: str, tmp_path: Path) -> None:
    assert old in IMAGES
    (tmp_path / "a.xml").write_text(IMAGES.replace(old, fresh), encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        cvat_xml.read(tmp_path / "a.xml")
    assert "\n" not in str(caught.value)


def test_another_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<annotation></annotation>")
    assert not cvat_xml.sniff(tmp_path / "a.xml")
    with pytest.raises(InputError, match="begins with <annotation>, not with <annotations>"):
        cvat_xml.read(tmp_path / "a.xml")


def test_labels_that_are_not_listed_come_from_the_shapes(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(
        '<annotations><image id="3" name="a.png" width="9" height="9">'
        '<box label="b" xtl="0" ytl="0" xbr="1" ybr="1"/></image></annotations>'
    )
    task = cvat_xml.read_task(tmp_path / "a.xml")
    assert task.labels == (LabelSpec("b"),)
    assert task.shapes[0].frame == 0


def test_a_track_beyond_the_images_is_refused(tmp_path: Path) -> None:
    box = Shape("rectangle", "Dock", 0, (0, 0, 1, 1))
    write_task(replace(TASK, shapes=(), tracks=(Track("Dock", (box,)),)), tmp_path / "a.xml")
    text = (tmp_path / "a.xml").read_text(encoding="utf-8").replace('box frame="0"', 'box frame="9"')
    (tmp_path / "a.xml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.xml: track 0: frame 9 is not among the 4 images"):
        cvat_xml.read_task(tmp_path / "a.xml")
