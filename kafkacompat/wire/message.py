"""Messages, declared once, for all versions.

    class TopicProduceData(Struct):
        name: String = field("3-12")
        topic_id: Uuid = field("13+")
        partition_data: list[PartitionProduceData]

    class ProduceRequest(Message, key=0, versions="3-13", flexible="9+"):
        transactional_id: String | None = field(nullable="3+")
        acks: Int16

One class serves every version: a field that a version does not have keeps its default when it is read and is left out
when it is written. Encoders and decoders are made per (class, version) by `codegen`, the first time that they are
needed; so is `__init__`. Declaring is therefore cheap: the annotations stay text until then (a module that declares
messages must begin with `from __future__ import annotations`).

Instances are plain slotted objects, compared by value. Treat them as immutable once they are shared: a decoded request
may be handed out more than once, and default structs are one object.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar, Self, dataclass_transform

from .types import FIXED, SIZED, ZERO_UUID, Buffer
from .versions import NEWEST, parse_versions

if TYPE_CHECKING:
    from collections.abc import Callable

_UNSET: Any = object()


class Field:
    """One declared field: where it exists, may be null, is tagged, and what it is when nobody said.

    `type` is a name of `types`, or a Struct class; `array` says that the field is a list of it. The ranges are
    (lowest, highest), inclusive.
    """

    __slots__ = ("array", "default", "empty", "flexible", "name", "null", "nullable", "tag", "tagged", "type", "versions")

    name: str
    type: str | type[Struct]
    array: bool
    null: bool

    def __init__(
        self, versions: str, nullable: str | None, tag: int | None, tagged: str | None, default: Any, flexible: bool, empty: bool = False
    ) -> None:
        self.versions = parse_versions(versions)
        self.nullable = parse_versions(nullable) if nullable is not None else self.versions
        self.tag = tag
        self.tagged = (parse_versions(tagged) if tagged is not None else self.versions) if tag is not None else (0, -1)
        self.default = default
        self.flexible = flexible
        self.empty = empty

    def resolve(self, name: str, annotation: str, module: str) -> Field:
        """Give the field the name and the type that its annotation says; returns itself."""
        text = annotation.strip()
        self.name = name
        self.null = text.endswith("| None")
        if self.null:
            text = text[:-6].strip()
        self.array = text.startswith("list[")
        if self.array:
            text = text[5:-1]
        self.type = text if text in FIXED or text in SIZED else getattr(sys.modules[module], text)
        if not self.null:
            self.nullable = (0, -1)
        if self.default is _UNSET:
            self.default = self._zero()
        return self

    def _zero(self) -> Any:
        if self.array:
            return []
        if isinstance(self.type, type):
            return self.type.default() if self.empty or not self.null else None
        return {"Bool": False, "Float64": 0.0, "Uuid": ZERO_UUID, "String": "", "Bytes": b"", "Records": b"", "RecordBuffers": []}.get(self.type, 0)

    def exists(self, version: int) -> bool:
        """Is the field part of this version, tagged or not?"""
        return self.versions[0] <= version <= self.versions[1]

    def is_tagged(self, version: int) -> bool:
        """Is the field sent as a tagged field at this version?"""
        return self.tagged[0] <= version <= self.tagged[1]

    def is_nullable(self, version: int) -> bool:
        """May the field be null at this version?"""
        return self.nullable[0] <= version <= self.nullable[1]


def field(
    versions: str = "0+",
    *,
    nullable: str | None = None,
    tag: int | None = None,
    tagged: str | None = None,
    default: Any = _UNSET,
    default_factory: Any = None,
    flexible: bool = True,
) -> Any:
    """Declare a field that is more than a name and a type.

    `versions`: where it exists; `nullable`: where null is allowed (all of `versions` if the annotation says `| None`);
    `tag`: its number where it is a tagged field (`tagged`: the versions of that, all of `versions` if not given);
    `default`: its value where nothing was said (`default_factory=list`, or the struct: says the same of what has no
    literal, for the type checker; a struct that may be null is null unless that is given); `flexible=False`: written in
    the old form even in flexible versions (only the client id of the request header).
    """
    return Field(versions, nullable, tag, tagged, default, flexible, default_factory is not None)


class _Declared(type):
    """Turns annotations into slots and remembers the fields; nothing is evaluated yet."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any) -> Any:
        annotations: dict[str, str] = {n: a for n, a in namespace.get("__annotations__", {}).items() if not a.startswith("ClassVar")}
        if bases:
            namespace["_declared"] = [(n, a, namespace.pop(n, None)) for n, a in annotations.items()]
            namespace["_fields"] = None
            namespace["_codecs"] = {}
        namespace.setdefault("__slots__", tuple(annotations) if bases else ())
        return super().__new__(mcs, name, bases, namespace, **kwargs)


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
class Struct(metaclass=_Declared):
    """A group of fields inside a message."""

    _declared: ClassVar[list[tuple[str, str, Field | None]]] = []
    _fields: ClassVar[tuple[Field, ...] | None] = None
    _default: ClassVar[Any] = None
    _codecs: ClassVar[dict[Any, Any]] = {}
    if TYPE_CHECKING:
        __slots__: tuple[str, ...]

    def __init__(self, **values: Any) -> None:
        from .codegen import make_init

        make_init(type(self))
        self.__init__(**values)  # type: ignore[misc]  # the one that was just made

    @classmethod
    def fields(cls) -> tuple[Field, ...]:
        """The declared fields in the order of the wire."""
        if cls._fields is None:
            cls._fields = tuple((f or Field("0+", None, None, None, _UNSET, True)).resolve(n, a, cls.__module__) for n, a, f in cls._declared)
        return cls._fields

    @classmethod
    def default(cls) -> Self:
        """The one instance that stands for "nothing was said"."""
        if "_default" not in cls.__dict__:
            cls._default = cls()
        return cls._default  # type: ignore[no-any-return]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self.__slots__)})"

    def replace(self, **values: Any) -> Self:
        """A copy with other values for the fields named."""
        return type(self)(**{n: getattr(self, n) for n in self.__slots__} | values)


class Message(Struct):
    """A whole message: a request, a response, a header, a record of an internal topic.

    `KEY` is the API key (or the record type), None where there is none. `VERSIONS` are those that Kafka 4.3.1 defines,
    `STABLE` those that it offers, `FLEXIBLE` those with compact lengths and tagged fields.
    """

    KEY: ClassVar[int | None] = None
    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    STABLE: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[tuple[int, int]] = (0, -1)

    def __init_subclass__(cls, *, key: int | None = None, versions: str = "0", flexible: str = "none", stable: str | None = None) -> None:
        cls.KEY = key
        cls.VERSIONS = parse_versions(versions)
        cls.STABLE = parse_versions(stable) if stable else cls.VERSIONS
        cls.FLEXIBLE = parse_versions(flexible)

    @classmethod
    def is_flexible(cls, version: int) -> bool:
        """Has this version compact lengths and tagged fields?"""
        return cls.FLEXIBLE[0] <= version <= cls.FLEXIBLE[1]

    @classmethod
    def reader(cls, version: int) -> Callable[[Buffer, int], tuple[Self, int]]:
        """The decoder of one version: (data, position) -> (message, position behind it); raises ProtocolError."""
        codecs = cls._codecs
        try:
            return codecs[version, "r"]  # type: ignore[no-any-return]
        except KeyError:
            from .codegen import make_reader

            return codecs.setdefault((version, "r"), make_reader(cls, version))  # type: ignore[no-any-return]

    @classmethod
    def writer(cls, version: int) -> Callable[[Self, list[Buffer]], None]:
        """The encoder of one version: (message, list of buffers to append to)."""
        codecs = cls._codecs
        try:
            return codecs[version, "w"]  # type: ignore[no-any-return]
        except KeyError:
            from .codegen import make_writer

            return codecs.setdefault((version, "w"), make_writer(cls, version))  # type: ignore[no-any-return]

    @classmethod
    def read(cls, data: Buffer, version: int, pos: int = 0) -> tuple[Self, int]:
        """Decode one message: returns it and the position behind it. What follows is not looked at."""
        return cls.reader(version)(data, pos)

    def write(self, version: int) -> list[Buffer]:
        """Encode as a list of buffers, record data among them as it is, not copied."""
        out: list[Buffer] = []
        self.writer(version)(self, out)
        return out

    def encode(self, version: int) -> bytes:
        """Encode as one piece."""
        return b"".join(self.write(version))


__all__ = ["NEWEST", "Field", "Message", "Struct", "field"]
