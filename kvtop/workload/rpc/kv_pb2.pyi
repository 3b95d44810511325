from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Operation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPEN_SESSION: _ClassVar[Operation]
    PUT: _ClassVar[Operation]
    APPEND: _ClassVar[Operation]
    DELETE: _ClassVar[Operation]
    COMPARE_AND_SET: _ClassVar[Operation]
    CLOSE_SESSION: _ClassVar[Operation]
    INCREMENT: _ClassVar[Operation]
    PUT_MANY: _ClassVar[Operation]
    DELETE_MANY: _ClassVar[Operation]

class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OK: _ClassVar[Status]
    NO_KEY: _ClassVar[Status]
    MISMATCH: _ClassVar[Status]
    NOT_LEADER: _ClassVar[Status]
    SESSION_EXPIRED: _ClassVar[Status]
    OVERLOADED: _ClassVar[Status]
    UNKNOWN_OUTCOME: _ClassVar[Status]
    UNAVAILABLE: _ClassVar[Status]
    INVALID: _ClassVar[Status]
OPEN_SESSION: Operation
PUT: Operation
APPEND: Operation
DELETE: Operation
COMPARE_AND_SET: Operation
CLOSE_SESSION: Operation
INCREMENT: Operation
PUT_MANY: Operation
DELETE_MANY: Operation
OK: Status
NO_KEY: Status
MISMATCH: Status
NOT_LEADER: Status
SESSION_EXPIRED: Status
OVERLOADED: Status
UNKNOWN_OUTCOME: Status
UNAVAILABLE: Status
INVALID: Status

class Command(_message.Message):
    __slots__ = ("operation", "key", "value", "expected", "client", "sequence", "delta", "pairs", "keys")
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    operation: Operation
    key: bytes
    value: bytes
    expected: bytes
    client: int
    sequence: int
    delta: int
    pairs: _containers.RepeatedCompositeFieldContainer[Pair]
    keys: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, operation: _Optional[_Union[Operation, str]] = ..., key: _Optional[bytes] = ..., value: _Optional[bytes] = ..., expected: _Optional[bytes] = ..., client: _Optional[int] = ..., sequence: _Optional[int] = ..., delta: _Optional[int] = ..., pairs: _Optional[_Iterable[_Union[Pair, _Mapping]]] = ..., keys: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("status", "value", "leader", "message", "present", "number", "pairs", "more")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PRESENT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    status: Status
    value: bytes
    leader: int
    message: str
    present: bool
    number: int
    pairs: _containers.RepeatedCompositeFieldContainer[Pair]
    more: bool
    def __init__(self, status: _Optional[_Union[Status, str]] = ..., value: _Optional[bytes] = ..., leader: _Optional[int] = ..., message: _Optional[str] = ..., present: bool = ..., number: _Optional[int] = ..., pairs: _Optional[_Iterable[_Union[Pair, _Mapping]]] = ..., more: bool = ...) -> None: ...

class Pair(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    value: bytes
    def __init__(self, key: _Optional[bytes] = ..., value: _Optional[bytes] = ...) -> None: ...

class Get(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    def __init__(self, key: _Optional[bytes] = ...) -> None: ...

class GetMany(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, keys: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Scan(_message.Message):
    __slots__ = ("start", "end", "limit", "keys_only")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    KEYS_ONLY_FIELD_NUMBER: _ClassVar[int]
    start: bytes
    end: bytes
    limit: int
    keys_only: bool
    def __init__(self, start: _Optional[bytes] = ..., end: _Optional[bytes] = ..., limit: _Optional[int] = ..., keys_only: bool = ...) -> None: ...

class Members(_message.Message):
    __slots__ = ("members", "cluster")
    class Member(_message.Message):
        __slots__ = ("id", "host", "port")
        ID_FIELD_NUMBER: _ClassVar[int]
        HOST_FIELD_NUMBER: _ClassVar[int]
        PORT_FIELD_NUMBER: _ClassVar[int]
        id: int
        host: str
        port: int
        def __init__(self, id: _Optional[int] = ..., host: _Optional[str] = ..., port: _Optional[int] = ...) -> None: ...
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    members: _containers.RepeatedCompositeFieldContainer[Members.Member]
    cluster: int
    def __init__(self, members: _Optional[_Iterable[_Union[Members.Member, _Mapping]]] = ..., cluster: _Optional[int] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("kind", "node")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ADD_VOTER: _ClassVar[Change.Kind]
        ADD_LEARNER: _ClassVar[Change.Kind]
        REMOVE: _ClassVar[Change.Kind]
        TRANSFER: _ClassVar[Change.Kind]
        SNAPSHOT: _ClassVar[Change.Kind]
    ADD_VOTER: Change.Kind
    ADD_LEARNER: Change.Kind
    REMOVE: Change.Kind
    TRANSFER: Change.Kind
    SNAPSHOT: Change.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    kind: Change.Kind
    node: int
    def __init__(self, kind: _Optional[_Union[Change.Kind, str]] = ..., node: _Optional[int] = ...) -> None: ...
