"""Everything that is drawn goes to a server and comes back; what fails half-way is completed, never doubled."""

from __future__ import annotations

import threading
import traceback
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from annotation.conftest import png
from annotation.cvat_contract import SCHEMA
from annotation.cvat_standin import StandIn
from annotation.one_of_each import FRAMES, LABELS, SHAPES, TASK, plain, write_images
from vitruve.annotation.cvat.access import Access
from vitruve.annotation.cvat.diff import difference
from vitruve.annotation.cvat.server import CvatServer
from vitruve.errors import InputError, ServerError
from vitruve.structures.annotation import AnnotationTask, LabelSpec, Shape, TaskFrame

BOX = [{"name": "Dock", "type": "rectangle"}]


def box(x: float, frame: int = 0) -> Shape:
    return Shape("rectangle", "Dock", frame, (x, 1.0, x + 5, 9.0))


def test_traffic_is_compared_with_the_document(standin: StandIn, server: CvatServer) -> None:
    if not SCHEMA.is_file():
        pytest.skip(f"CVAT's OpenAPI document is not here ({SCHEMA}); set VITRUVE_DATA to its folder's parent")
    assert standin.contract is not None
    sent = {"shapes": [{"type": "rectangle", "label_id": 1, "frame": 0, "points": ["1"]}]}
    found = standin.contract.faults("PATCH", "/api/tasks/1/annotations/", {"action": "create"}, sent, 200, None)
    assert len(found) == 1 and "'1' is not of type 'number'" in found[0]


def test_everything_comes_back(server: CvatServer, tmp_path: Path) -> None:
    number = server.create(TASK, write_images(tmp_path / "images"))
    found = server.read(number)
    assert plain(found) == plain(TASK)
    assert found.status == "annotation"
    assert found.id == number


def test_making_a_task_twice_changes_nothing(standin: StandIn, server: CvatServer, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")
    number = server.create(TASK, images)
    before = len(standin.changes())
    assert server.create(TASK, images) == number
    assert standin.changes()[before:] == []


def test_folders_of_names_are_kept(server: CvatServer, tmp_path: Path) -> None:
    frames = tuple(TaskFrame(name, 8, 8) for name in ("day 1/a.png", "day 1/b.png", "day 2/a.png"))
    task = AnnotationTask("folders", LABELS, frames, (replace(box(1), frame=2),))
    found = server.read(server.create(task, write_images(tmp_path, task)))
    assert found.frames == frames
    assert found.shapes[0].frame == 2


def test_images_of_the_share(standin: StandIn, server: CvatServer) -> None:
    (standin.state.share / "d").mkdir()
    (standin.state.share / "d/b.png").write_bytes(png())
    task = AnnotationTask("shared", LABELS, (TaskFrame("d/b.png", 40, 30),))
    number = server.create(task)
    assert server.read(number).frames == task.frames
    assert server.image(number, 0) == png()


def test_lists_go_over_pages(standin: StandIn, server: CvatServer) -> None:
    standin.page_size = 2
    made = [standin.add_task(f"t{i}", BOX, {"a.png": png(4, 4)}, status=s) for i, s in enumerate(["completed"] * 5)]
    other = standin.add_task("other", BOX, {"a.png": png(4, 4)})
    assert [info.id for info in server.tasks(status="completed")] == [task.id for task in made]
    assert [info.name for info in server.tasks(pattern="th")] == [other.name]
    assert server.find("t3").id == made[3].id == server.find(str(made[3].id)).id


def test_status_follows_the_jobs(standin: StandIn, server: CvatServer) -> None:
    task = standin.add_task("t", BOX, {"a.png": png()})
    for status in ("completed", "validation", "annotation"):
        assert server.set_status(task.id, status) == 1
        assert server.find(task.id).status == status
        assert server.set_status(task.id, status) == 0
    with pytest.raises(InputError, match=r"no status 'complete' \(did you mean 'completed'\?\)"):
        server.set_status(task.id, "complete")


def test_change_adds_updates_and_removes(standin: StandIn, server: CvatServer) -> None:
    task = standin.add_task("t", BOX, {"a.png": png()})
    server.change(task.id, add=[box(1), box(2), box(3)])
    first, second, _ = server.read(task.id).shapes
    server.change(task.id, update=[replace(first, points=(0.0, 0.0, 9.0, 9.0))], remove=[second])
    assert sorted(s.points[0] for s in server.read(task.id).shapes) == [0.0, 3.0]
    with pytest.raises(InputError, match="has no id; read the task"):
        server.change(task.id, remove=[box(1)])


@pytest.mark.parametrize(
    "fault", [{"cut": "before"}, {"cut": "after"}, {"cut": "half"}, {"status": 500}, {"status": 502}]
)
@pytest.mark.parametrize("action", ["create", "update", "delete"])
def test_a_lost_answer_doubles_nothing(standin: StandIn, server: CvatServer, fault: dict, action: str) -> None:
    task = standin.add_task("t", BOX, {"a.png": png()})
    server.change(task.id, add=[box(1), box(1), box(2)])
    drawn = server.read(task.id).shapes
    standin.fail(method="PATCH", path="annotations", times=2, **fault)
    if action == "create":
        server.change(task.id, add=[box(1), box(1), box(7)])
        wanted = [1, 1, 1, 1, 2, 7]
    elif action == "update":
        server.change(task.id, update=[replace(shape, points=(5.0, 1.0, 6.0, 9.0)) for shape in drawn[:2]])
        wanted = [2, 5, 5]
    else:
        server.change(task.id, remove=drawn[:2])
        wanted = [2]
    assert sorted(s.points[0] for s in server.read(task.id).shapes) == wanted


@pytest.mark.parametrize("path", ["tasks$", "data/$"])
@pytest.mark.parametrize("fault", [{"cut": "before"}, {"cut": "after"}, {"status": 503}])
def test_a_broken_upload_is_completed(
    standin: StandIn, server: CvatServer, tmp_path: Path, fault: dict, path: str
) -> None:
    standin.fail(method="POST", path=path, times=1, **fault)
    number = server.create(TASK, write_images(tmp_path))
    assert [info.id for info in server.tasks()] == [number]
    assert plain(server.read(number)) == plain(TASK)


def test_an_upload_that_ended_is_completed_by_the_next(standin: StandIn, server: CvatServer, tmp_path: Path) -> None:
    images = write_images(tmp_path)
    standin.fail(500, method="POST", path="data/$", times=99)
    with pytest.raises(ServerError, match=r"data/: the server failed 5 times \(500\); try again later"):
        server.create(TASK, images)
    standin.faults.clear()
    with pytest.raises(InputError, match=r"\(one of each\) has no images: its upload did not come to an end"):
        server.read(server.find("one of each").id)
    number = server.create(TASK, images)
    assert [info.id for info in server.tasks()] == [number]
    assert plain(server.read(number)) == plain(TASK)


def test_images_that_wait_in_a_queue_are_waited_for(standin: StandIn, server: CvatServer, tmp_path: Path) -> None:
    standin.busy = 5
    assert len(server.read(server.create(TASK, write_images(tmp_path))).frames) == 4
    assert standin.busy == 0
    standin.busy = 10**6
    hasty = CvatServer.connect(standin.url, standin.token, pause=0.01, timeout=0.05)
    other = replace(TASK, name="other")
    with pytest.raises(ServerError, match=r"does not come on with its images \(queued\); run the same command again"):
        hasty.create(other, tmp_path)
    standin.busy = 0
    number = server.create(other, tmp_path)
    assert plain(server.read(number)) == plain(other)
    assert len(server.tasks(name="other")) == 1


def test_a_busy_server_is_asked_again_when_it_says(standin: StandIn, server: CvatServer) -> None:
    task = standin.add_task("t", BOX, {"a.png": png()})
    standin.fail(429, times=2, headers={"Retry-After": "0"})
    server.change(task.id, add=[box(1)])
    standin.fail(503, times=3, method="GET")
    assert len(server.read(task.id).shapes) == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"status": 500}, r"the server failed 5 times \(500\)"),
        ({"status": 401}, r"the server refuses access \(401\); give a personal access token"),
        ({"status": 403}, r"the server refuses access \(403\)"),
        ({"status": 404}, r"not there \(404\)"),
        ({"status": 400}, r"refused \(400\): made to fail with 400"),
        ({"status": 429}, r"the server failed 5 times \(429\)"),
        ({"cut": "before"}, r"the connection broke"),
        ({"cut": "half"}, r"the connection broke"),
        ({"delay": 0.3}, r"no answer within 0.1 s"),
    ],
)
def test_what_fails_is_said_in_one_line(standin: StandIn, fault: dict, message: str) -> None:
    server = CvatServer.connect(standin.url, standin.token, pause=0.01, timeout=0.1 if "delay" in fault else 5)
    standin.add_task("t", BOX, {"a.png": png()})
    standin.fail(times=99, path="tasks", **fault)
    with pytest.raises(ServerError, match=message) as caught:
        server.tasks()
    assert "\n" not in str(caught.value)
    assert standin.url in str(caught.value)
    assert standin.token not in "".join(traceback.format_exception(caught.value))


def test_nobody_is_let_in_by_a_wrong_word(standin: StandIn) -> None:
    with pytest.raises(ServerError, match="refuses access"):
        CvatServer.connect(standin.url, "wrong").tasks()


def test_what_does_not_run_cannot_be_reached() -> None:
    with StandIn() as gone:
        url = gone.url
    with pytest.raises(ServerError, match="cannot be reached; check the address"):
        CvatServer.connect(url, "a", pause=0.001).tasks()


def test_two_tasks_of_one_name(standin: StandIn, server: CvatServer) -> None:
    numbers = [standin.add_task("t", BOX, {"a.png": png()}).id for _ in range(2)]
    with pytest.raises(InputError, match=f"2 tasks are named 't': give the number, one of {numbers[0]}, {numbers[1]}"):
        server.find("t")
    with pytest.raises(InputError, match=r"no task named 'tt' \(did you mean 't'\?\)"):
        server.find("tt")
    with pytest.raises(InputError, match="a task named 't' is there already"):
        server.create(AnnotationTask("t", LABELS, FRAMES[:1], SHAPES[:0]), None)


def test_missing_files_are_said_before_anything_is_made(standin: StandIn, server: CvatServer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"4 of 4 images are missing \(first: .*a\.png\)"):
        server.create(TASK, tmp_path)
    with pytest.raises(InputError, match=r"'\.\./a\.png' lies outside of its folder"):
        (tmp_path / "a.png").write_bytes(png())
        inner = tmp_path / "inner"
        inner.mkdir()
        server.create(replace(TASK, frames=(TaskFrame("../a.png", 1, 1),), shapes=(), tracks=()), inner)
    assert standin.changes() == []
    with pytest.raises(ServerError, match=r"images of task \d+: No such file on the share: a\.png"):
        server.create(TASK)


def test_unknown_labels_and_attributes_change_nothing(standin: StandIn, server: CvatServer) -> None:
    task = standin.add_task("t", BOX, {"a.png": png()})
    for shape, message in [
        (Shape("rectangle", "Dok", 0, (1, 1, 2, 2)), r"has no label 'Dok' \(did you mean 'Dock'\?\); it has Dock"),
        (replace(box(1), attributes=(("a", "b"),)), r"label Dock: has no attribute 'a'; it has none"),
        (Shape("skeleton", "Dock", 0, parts=(Shape("points", "nose", 0, (1, 1)),)), "label Dock: has no part 'nose'"),
    ]:
        with pytest.raises(InputError, match=message):
            server.change(task.id, add=[box(1), shape])
    assert standin.changes() == []


def test_parts_that_are_missing_are_outside(server: CvatServer, tmp_path: Path) -> None:
    pose = replace(SHAPES[-1], parts=SHAPES[-1].parts[2:])
    number = server.create(replace(TASK, shapes=(), tracks=()), write_images(tmp_path))
    server.change(number, add=[pose])
    found = server.read(number)
    assert [(part.label, part.outside) for part in found.shapes[0].parts] == [
        ("nose", True),
        ("tail", True),
        ("ear", False),
    ]
    assert difference(found, replace(TASK, shapes=(pose,), tracks=())).same == 1


def test_many_shapes_go_in_parts_and_equal_ones_are_counted(standin: StandIn, server: CvatServer) -> None:
    task = standin.add_task("t", BOX, {"a.png": png()})
    standin.contract = None  # comparing so much with the document takes long
    standin.fail(500, method="PATCH", path="annotations", skip=1)
    standin.fail(cut="after", method="PATCH", path="annotations", skip=2)
    server.change(task.id, add=[box(1)] * 700 + [box(2)] * 500)
    found = [shape.points[0] for shape in server.read(task.id).shapes]
    assert (found.count(1), found.count(2)) == (700, 500)
    assert standin.count("PATCH .*annotations") > 3


def test_another_web_server_is_not_taken_for_cvat() -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = b"<html>hello</html>"
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as other:
        thread = threading.Thread(target=other.serve_forever, daemon=True)
        thread.start()
        with pytest.raises(ServerError, match="the answer is none of CVAT's; is this the address of a CVAT server"):
            CvatServer.connect(f"http://127.0.0.1:{other.server_port}", "a").tasks()
        other.shutdown()
        thread.join()


def test_a_user_logs_in_with_a_password(standin: StandIn) -> None:
    standin.fail(502, times=2, path="login")
    access = Access(user=standin.user, password=standin.password)
    task = standin.add_task("t", BOX, {"a.png": png()})
    server = CvatServer.connect(standin.url, access=access, pause=0.01)
    server.change(task.id, add=[box(1)])
    assert len(server.read(task.id).shapes) == 1
    with pytest.raises(ServerError, match=r"logging in: refused \(400\): Unable to log in") as caught:
        CvatServer.connect(standin.url, access=replace(access, password="wrong-word"), pause=0.01)
    assert "wrong-word" not in str(caught.value)


def test_frames_of_a_video(standin: StandIn, server: CvatServer) -> None:
    task = standin.add_task("v", BOX, {f"{i}.png": png() for i in range(3)})
    task.video, task.frame_filter = True, "step=5"
    task.deleted = [1]
    assert server.read(task.id).frames == tuple(TaskFrame("0.png", 40, 30, i == 1, 5 * i) for i in range(3))


def test_labels_need_not_have_a_drawing(standin: StandIn, server: CvatServer, tmp_path: Path) -> None:
    mouse = LabelSpec("mouse", "skeleton", parts=tuple(LabelSpec(name, "points") for name in "abc"))
    task = AnnotationTask("m", (mouse,), FRAMES)
    found = server.read(server.create(task, write_images(tmp_path))).labels[0]
    assert [part.name for part in found.parts] == ["a", "b", "c"]
    assert found.edges == () and len(found.layout) == 3
