from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Failure(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NONE: _ClassVar[Failure]
    UNKNOWN_METHOD: _ClassVar[Failure]
    BAD_REQUEST: _ClassVar[Failure]
    INTERNAL: _ClassVar[Failure]
NONE: Failure
UNKNOWN_METHOD: Failure
BAD_REQUEST: Failure
INTERNAL: Failure

class Request(_message.Message):
    __slots__ = ("method", "body", "timeout_ms")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    method: str
    body: bytes
    timeout_ms: int
    def __init__(self, method: _Optional[str] = ..., body: _Optional[bytes] = ..., timeout_ms: _Optional[int] = ...) -> None: ...

class Reply(_message.Message):
    __slots__ = ("failure", "message", "body")
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    failure: Failure
    message: str
    body: bytes
    def __init__(self, failure: _Optional[_Union[Failure, str]] = ..., message: _Optional[str] = ..., body: _Optional[bytes] = ...) -> None: ...
