"""The pprof file, read by protobuf itself with the messages of profile.proto."""

from __future__ import annotations

import gzip
from collections import Counter
from typing import Any

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    unknown_fields,
)
from hypothesis import given
from hypothesis import strategies as st

from kvtop.export.pprof import PprofMeta, write_pprof
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.stacks import StackTable
from tests.profile.test_tree import STACKS, Stacks, fold

# github.com/google/pprof/proto/profile.proto: name, number, type ("*" is repeated).
MESSAGES = {
    "Profile": "sample_type 1 *ValueType, sample 2 *Sample, mapping 3 *Mapping, "
    "location 4 *Location, function 5 *Function, string_table 6 *string, drop_frames 7 int64, "
    "keep_frames 8 int64, time_nanos 9 int64, duration_nanos 10 int64, period_type 11 ValueType, "
    "period 12 int64, comment 13 *int64, default_sample_type 14 int64",
    "ValueType": "type 1 int64, unit 2 int64",
    "Sample": "location_id 1 *uint64, value 2 *int64, label 3 *Label",
    "Label": "key 1 int64, str 2 int64, num 3 int64, num_unit 4 int64",
    "Mapping": "id 1 uint64, memory_start 2 uint64, memory_limit 3 uint64, file_offset 4 uint64, "
    "filename 5 int64, build_id 6 int64, has_functions 7 bool, has_filenames 8 bool, "
    "has_line_numbers 9 bool, has_inline_frames 10 bool",
    "Location": "id 1 uint64, mapping_id 2 uint64, address 3 uint64, line 4 *Line, "
    "is_folded 5 bool",
    "Line": "function_id 1 uint64, line 2 int64",
    "Function": "id 1 uint64, name 2 int64, system_name 3 int64, filename 4 int64, "
    "start_line 5 int64",
}


def schema() -> Any:
    """The class of the Profile message."""
    file = descriptor_pb2.FileDescriptorProto(name="p.proto", package="perftools", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields.split(", "):
            label, number, kind = field.split()
            made = message.field.add(name=label, number=int(number))
            made.label = kinds.LABEL_REPEATED if kind[0] == "*" else kinds.LABEL_OPTIONAL
            kind = kind.removeprefix("*")
            if kind in MESSAGES:
                made.type, made.type_name = kinds.TYPE_MESSAGE, f".perftools.{kind}"
            else:
                made.type = getattr(kinds, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("perftools.Profile"))


PROFILE = schema()


def read(data: bytes) -> Any:
    profile = PROFILE()
    profile.ParseFromString(gzip.decompress(data))
    return profile


def paths(profile: Any) -> Counter[tuple[str, ...]]:
    """Weight per (group, root, ..., leaf); every reference must lead somewhere."""
    strings = profile.string_table
    functions = {f.id: f for f in profile.function}
    locations = {at.id: at for at in profile.location}
    mappings = {m.id for m in profile.mapping}
    found: Counter[tuple[str, ...]] = Counter()
    for sample in profile.sample:
        group = [strings[label.str] for label in sample.label if strings[label.key] == "group"]
        names = []
        for number in sample.location_id:
            location = locations[number]
            assert location.mapping_id in mappings or not location.mapping_id
            names.append(strings[functions[location.line[0].function_id].name])
        (value,) = sample.value
        found[(*group, *reversed(names))] += value
    return found


@given(STACKS, STACKS, st.integers(0, 2**62))
def test_it_holds_the_fold(one: Stacks, two: Stacks, big: int) -> None:
    table = StackTable()
    one = one | {("a", "a", "big"): big}
    profile = read(
        write_pprof({"": fold(table, one), "node1": fold(table, two)}, table, PprofMeta())
    )
    assert profile.string_table[0] == ""
    expected = Counter(one) + Counter({("node1", *names): n for names, n in two.items()})
    assert +paths(profile) == +expected
    assert len(unknown_fields.UnknownFieldSet(profile)) == 0


def test_the_header_says_what_was_measured() -> None:
    table = StackTable()
    counts = {table.stack_id([table.frame_id("main", "/bin/x")]): 5}
    meta = PprofMeta("cpu-clock", "samples", 1_700_000_000.5, 30.0, 10_101_010, "kvtop 0.1.0")
    profile = read(write_pprof({"": counts}, table, meta))
    strings = profile.string_table
    (kind,) = profile.sample_type
    assert (strings[kind.type], strings[kind.unit]) == ("samples", "count")
    assert profile.time_nanos == 1_700_000_000_500_000_000
    assert profile.duration_nanos == 30_000_000_000
    assert strings[profile.period_type.type] == "cpu-clock" and profile.period == 10_101_010
    assert [strings[at] for at in profile.comment] == ["kvtop 0.1.0"]
    off_cpu = read(write_pprof({"": counts}, table, PprofMeta("off-cpu", "ms")))
    (kind,) = off_cpu.sample_type
    assert (off_cpu.string_table[kind.type], off_cpu.string_table[kind.unit]) == ("off-cpu", "ms")


def test_places() -> None:
    table = StackTable()
    native = table.frame_id("read", "/lib/libc.so.6")
    python = table.intern(Frame("run", "core.py", Kind.PYTHON, "/srv/core.py", 7))
    profile = read(write_pprof({"": {table.stack_id([python, native]): 1}}, table, PprofMeta()))
    strings = profile.string_table
    files = {strings[f.name]: strings[f.filename] for f in profile.function}
    assert files == {"read": "", "run": "/srv/core.py"}
    assert {strings[m.filename] for m in profile.mapping} == {"libc.so.6", "core.py"}
    assert sorted(at.line[0].line for at in profile.location) == [0, 7]


def test_the_same_profile_gives_the_same_bytes() -> None:
    table = StackTable()
    groups = {"": {table.stack_id([table.frame_id("main", "")]): 1}}
    assert write_pprof(groups, table, PprofMeta()) == write_pprof(groups, table, PprofMeta())
