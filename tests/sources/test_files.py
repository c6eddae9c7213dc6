"""Records of ring `events` -> FileEvents, without a kernel."""

import struct

from agentsight_rx.events import FileEvent, Origin
from agentsight_rx.sources.files import Account, KnownFile, Operation, decode
from agentsight_rx.sources.kernel.reader import Repeats

FILE, OTHER = b"f" * 32, b"o" * 32
WALKED, CUT = 1, 2


def _nothing_left(_: bytes) -> tuple[int, int]:
    return 0, 0


def _operation(
    action: str, path: str = "", file: bytes = bytes(32), *, pid: int = 7, time_ns: int = 1, read: int = 0
) -> Operation:
    names = b"".join(name.encode() + b"\0" for name in reversed(path.split("/")[1:]))
    origin = Origin(time_ns, pid, pid, 0, "agent")
    return Operation(origin, 5, action, file, read, 0, 0, 0, WALKED, (0, len(names), 0, 0), names)


def test_a_record_is_decoded_field_by_field() -> None:
    text = b"new\0" + b"two\0one\0" + b"/x\0"
    head = struct.pack("<QQIIII16s", 10, 20, 3, 30, 31, 1000, b"agent")
    body = struct.pack("<32sQQiIIIIIII", FILE, 40, 50, 2, 60, WALKED, 4, 8, 3, 0, 0)
    record = head + body + text
    expected = Operation(
        Origin(10, 30, 31, 1000, "agent"), 20, "rename", FILE, 40, 50, 2, 60, WALKED, (4, 8, 3, 0), text
    )  # fmt: skip
    assert expected == decode(memoryview(b"....." + record + b"...."), 5, len(record) + 4)
    (event,) = Account(_nothing_left).take([expected])
    assert ("/one/two/new", "/x", True) == (event.path, event.target, event.lexical)


def test_a_close_has_the_path_that_the_file_was_opened_by() -> None:
    account = Account(_nothing_left)
    events = account.take([_operation("open", "/a/b", FILE), _operation("close", file=FILE, read=9)])
    assert [("open", "/a/b", 0), ("close", "/a/b", 9)] == [(each.action, each.path, each.read_bytes) for each in events]


def _inode(number: int, device: int = 3) -> bytes:
    return struct.pack("<QQQII", 5, 0xFF00, number, device, 1)


def test_a_known_file_is_recognised_under_any_other_name() -> None:
    account = Account(_nothing_left, [KnownFile(3, 77, "/home/ada/.aws/credentials"), KnownFile(3, 78, "/home/ada/.npmrc")])
    (event,) = account.take([_operation("open", "/srv/hard", _inode(77))])
    assert ("/srv/hard", "/home/ada/.aws/credentials") == (event.path, event.known_as)

    def known(path: str, number: int, device: int = 3, action: str = "open") -> str:
        (event,) = Account(_nothing_left, [KnownFile(3, 77, "/home/ada/.aws/credentials")]).take(
            [_operation(action, path, _inode(number, device))]
        )
        return event.known_as

    assert "" == known("/home/ada/.aws/credentials", 77)  # its own name
    assert "" == known("/srv/x", 76)
    assert "" == known("/srv/x", 77, device=9)  # a file of another device with this number
    assert "/home/ada/.aws/credentials" == known("/mnt/over/credentials", 77, device=9)  # an overlay above it
    assert "" == known("/srv/x", 0)


def test_a_known_file_that_is_gone_or_replaced_gives_its_number_away() -> None:
    key = "/home/ada/.ssh/id_work"
    account = Account(_nothing_left, [KnownFile(3, 77, key)])
    account.take([_operation("unlink", key)])
    (event,) = account.take([_operation("open", "/srv/new", _inode(77))])
    assert "" == event.known_as
    account = Account(_nothing_left, [KnownFile(3, 77, key)])
    account.take([_operation("open", key, _inode(80))])  # it was replaced, and read by its name
    events = account.take([_operation("open", "/srv/new", _inode(77)), _operation("open", "/srv/hard", _inode(80))])
    assert ["", key] == [event.known_as for event in events]


def test_a_close_without_bytes_and_a_found_file_give_no_event() -> None:
    account = Account(_nothing_left)
    assert [] == account.take([_operation("found", "/a", FILE), _operation("close", file=FILE)])


def test_open_files_of_a_process_are_closed_when_it_ends() -> None:
    left = {FILE: (3, 4), OTHER: (0, 0)}
    account = Account(left.__getitem__)
    account.take([_operation("open", "/a", FILE), _operation("found", "/b", OTHER)])
    (event,) = account.take([_operation("gone", time_ns=99)])
    assert ("close", "/a", 3, 4, 99) == (event.action, event.path, event.read_bytes, event.written_bytes, event.origin.time_ns)
    assert [] == account.finish(100)


def test_a_process_whose_end_was_not_seen_is_swept_out() -> None:
    account = Account(lambda _: (1, 0))
    account.take([_operation("open", "/a", FILE)])
    assert [] == account.sweep({5})
    assert ["/a"] == [each.path for each in account.sweep(set())]
    assert [] == account.sweep(set())


def test_repeats_are_counted_per_process_and_outcome() -> None:
    account = Account(_nothing_left)
    again = [_operation("open", "/a", time_ns=time_ns) for time_ns in range(1, 6)]
    other = [_operation("open", "/a", pid=8), _operation("open", "/b")]
    first = account.take([*again, *other])
    assert [(7, "/a", 1), (8, "/a", 1), (7, "/b", 1)] == [(each.origin.pid, each.path, each.count) for each in first]
    (rest,) = account.flush()
    assert (4, "/a", 5) == (rest.count, rest.path, rest.origin.time_ns)
    assert [1] == [each.count for each in account.take(again[:1])]


def test_repeats_of_a_process_come_with_its_end() -> None:
    account = Account(_nothing_left)
    events = account.take([*[_operation("open", "/a")] * 3, _operation("gone")])
    assert [1, 2] == [each.count for each in events]


def test_bytes_of_repeats_are_summed() -> None:
    account = Account(_nothing_left)
    account.take([_operation("open", "/a", FILE), _operation("close", file=FILE, read=1)])
    account.take([_operation("open", "/a", FILE), _operation("close", file=FILE, read=20)])
    account.take([_operation("open", "/a", FILE), _operation("close", file=FILE, read=300)])
    closes = [each for each in account.flush() if each.action == "close"]
    assert [(2, 320)] == [(each.count, each.read_bytes) for each in closes]


def test_more_keys_than_fit_go_out_early_and_none_is_forgotten() -> None:
    repeats: Repeats[int] = Repeats(lambda one, other: one + other, most=3)
    out = [event for key in (1, 1, 2, 3, 1, 4, 1) for event in repeats.add("process", key, 1)]
    assert 7 == sum(out) + sum(repeats.flush())
    assert [] == repeats.flush()


def test_the_end_of_one_process_leaves_the_others_alone() -> None:
    repeats: Repeats[FileEvent] = Repeats(lambda _, second: second)
    event = FileEvent(Origin(1, 1), 1, "open", "/")
    for process in ("one", "other", "one", "other"):
        repeats.add(process, "key", event)
    assert [event] == repeats.end("one")
    assert [] == repeats.end("one")
    assert [event] == repeats.flush()
