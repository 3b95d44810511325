from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRE_VOTE: _ClassVar[Kind]
    PRE_VOTE_REPLY: _ClassVar[Kind]
    VOTE: _ClassVar[Kind]
    VOTE_REPLY: _ClassVar[Kind]
    APPEND_ENTRIES: _ClassVar[Kind]
    APPEND_ENTRIES_REPLY: _ClassVar[Kind]
    HEARTBEAT: _ClassVar[Kind]
    HEARTBEAT_REPLY: _ClassVar[Kind]
    INSTALL_SNAPSHOT: _ClassVar[Kind]
    INSTALL_SNAPSHOT_REPLY: _ClassVar[Kind]
    TIMEOUT_NOW: _ClassVar[Kind]
PRE_VOTE: Kind
PRE_VOTE_REPLY: Kind
VOTE: Kind
VOTE_REPLY: Kind
APPEND_ENTRIES: Kind
APPEND_ENTRIES_REPLY: Kind
HEARTBEAT: Kind
HEARTBEAT_REPLY: Kind
INSTALL_SNAPSHOT: Kind
INSTALL_SNAPSHOT_REPLY: Kind
TIMEOUT_NOW: Kind

class SnapshotMeta(_message.Message):
    __slots__ = ("index", "term", "voters", "learners")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    VOTERS_FIELD_NUMBER: _ClassVar[int]
    LEARNERS_FIELD_NUMBER: _ClassVar[int]
    index: int
    term: int
    voters: _containers.RepeatedScalarFieldContainer[int]
    learners: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, index: _Optional[int] = ..., term: _Optional[int] = ..., voters: _Optional[_Iterable[int]] = ..., learners: _Optional[_Iterable[int]] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("kind", "sender", "receiver", "term", "cluster", "index", "log_term", "commit", "context", "flag", "count", "entries", "conflict_index", "conflict_term", "meta", "offset", "total", "data")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    RECEIVER_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    LOG_TERM_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    FLAG_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    CONFLICT_INDEX_FIELD_NUMBER: _ClassVar[int]
    CONFLICT_TERM_FIELD_NUMBER: _ClassVar[int]
    META_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    kind: Kind
    sender: int
    receiver: int
    term: int
    cluster: int
    index: int
    log_term: int
    commit: int
    context: int
    flag: bool
    count: int
    entries: bytes
    conflict_index: int
    conflict_term: int
    meta: SnapshotMeta
    offset: int
    total: int
    data: bytes
    def __init__(self, kind: _Optional[_Union[Kind, str]] = ..., sender: _Optional[int] = ..., receiver: _Optional[int] = ..., term: _Optional[int] = ..., cluster: _Optional[int] = ..., index: _Optional[int] = ..., log_term: _Optional[int] = ..., commit: _Optional[int] = ..., context: _Optional[int] = ..., flag: bool = ..., count: _Optional[int] = ..., entries: _Optional[bytes] = ..., conflict_index: _Optional[int] = ..., conflict_term: _Optional[int] = ..., meta: _Optional[_Union[SnapshotMeta, _Mapping]] = ..., offset: _Optional[int] = ..., total: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...
