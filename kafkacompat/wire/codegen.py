"""Straight-line encoders and decoders, made from the declarations.

One function per (message, version), nested structs and arrays inlined. Neighbouring fields of fixed size, and the
lengths of old-style strings and arrays behind them, are one `struct` call. Decoders check every length against what is
left of the frame, and what the objects of an array will cost against a budget, before they make anything.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from ..errors import ProtocolError
from . import primitives
from .message import Field, Message, Struct
from .types import FIXED, SIZED

Source = list[str]


def make_init(cls: type[Struct]) -> None:
    """Give a declared class its real `__init__`: keyword arguments, one per field."""
    scope: dict[str, Any] = {}
    params, body = [], []
    for f in cls.fields():
        if type(f.default) is list:
            params.append(f"{f.name}=None" if not f.null else f"{f.name}=_unset")
            empty = "None" if not f.null else "_unset"
            body.append(f"    self.{f.name} = [] if {f.name} is {empty} else {f.name}")
        else:
            scope[f"d_{f.name}"] = f.default
            params.append(f"{f.name}=d_{f.name}")
            body.append(f"    self.{f.name} = {f.name}")
    scope["_unset"] = object()
    text = f"def __init__(self{', *, ' if params else ''}{', '.join(params)}):\n" + ("\n".join(body) or "    pass")
    exec(text, scope)
    cls.__init__ = scope["__init__"]  # type: ignore[method-assign]


class _Writer:
    """Collects lines of source, indented; knows the version that it writes for."""

    def __init__(self, cls: type[Message], version: int) -> None:
        low, high = cls.VERSIONS
        if not low <= version <= high:
            raise ValueError(f"{cls.__name__} has versions {low} to {high}, not {version}")
        self.cls, self.version = cls, version
        self.flexible = cls.is_flexible(version)
        self.lines: Source = []
        self.scope: dict[str, Any] = {}
        self.names = 0
        self.depth = 1

    def name(self, hint: str) -> str:
        self.names += 1
        return f"{hint}{self.names}"

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def const(self, value: Any, hint: str) -> str:
        for known, other in self.scope.items():
            if known.startswith(hint) and other is value:
                return known
        name = self.name(hint)
        self.scope[name] = value
        return name

    def make(self, head: str) -> Callable[..., Any]:
        exec(compile(head + "\n" + "\n".join(self.lines), f"<{self.cls.__name__} v{self.version}>", "exec"), self.scope)
        return self.scope["run"]  # type: ignore[no-any-return]

    def tagged_fields(self, cls: type[Struct]) -> list[Field]:
        if not self.flexible:
            return []
        return sorted((f for f in cls.fields() if f.exists(self.version) and f.is_tagged(self.version)), key=lambda f: f.tag or 0)

    def plain_fields(self, cls: type[Struct]) -> list[Field]:
        return [f for f in cls.fields() if f.exists(self.version) and not f.is_tagged(self.version)]


POINTER = 9
"""Bytes for an element in a list that grew by appending."""

VALUE_COST = {"String": 64, "Bytes": 48, "Uuid": 56, "Records": 320, "RecordBuffers": 480, "Bool": 0, "Int8": 32, "Int16": 32}
"""Bytes of memory that a decoded value takes, without its contents; 32 for types that are not named."""

ELEMENT_COST = {kind: VALUE_COST.get(kind, 32) + POINTER for kind in (*FIXED, *SIZED)}

EMPTY_LIST_COST = 88


def _cost(cls: type[Struct], version: int) -> int:
    """About how many bytes of memory one decoded instance takes: everything but contents of text, bytes, arrays, and what has a tag."""
    total = 48 + 8 * len(cls.fields())
    for f in cls.fields():
        if not f.exists(version) or f.is_tagged(version):
            total += EMPTY_LIST_COST if type(f.default) is list else 0
        elif f.array:
            total += EMPTY_LIST_COST
        elif isinstance(f.type, str):
            total += VALUE_COST.get(f.type, 32)
        elif not f.is_nullable(version):
            total += _cost(f.type, version)
    return total


class _Decoder(_Writer):
    def __init__(self, cls: type[Message], version: int) -> None:
        super().__init__(cls, version)
        self.run: list[tuple[str, str, int]] = []  # (target, struct code, bytes): fixed fields not read yet
        self.scope |= {
            "uvarint": primitives.uvarint,
            "skip_tags": primitives.skip_tags,
            "short": primitives.short_frame,
            "null": primitives.not_nullable,
            "dear": primitives.over_budget,
            "ProtocolError": ProtocolError,
            "struct_error": struct.error,
            "memoryview": memoryview,
            "FREE": primitives.FREE_BUDGET_BYTES,
            "MAX_TAGS": primitives.MAX_TAGS,
        }

    def build(self) -> Callable[..., Any]:
        self.line("size = len(data)")
        self.line("budget = size + FREE")
        self.line("wide = 24 if size > 0x100000 else 0x100000")
        self.line("try:")
        self.depth += 1
        self.struct(self.cls, "m")
        self.line("return m, pos")
        self.depth -= 1
        self.line("except (struct_error, IndexError):")
        self.line(f"    raise short({self.cls.__name__!r}) from None")
        return self.make("def run(data, pos):")

    def flush(self) -> None:
        if not self.run:
            return
        form = ">" + "".join(code for _, code, _ in self.run)
        unpack = self.const(_unpacker(form), "u")
        targets = ", ".join(t for t, _, _ in self.run) + ("," if len(self.run) == 1 else "")
        self.line(f"{targets} = {unpack}(data, pos)")
        self.line(f"pos += {sum(n for _, _, n in self.run)}")
        self.run = []

    def struct(self, cls: type[Struct], target: str) -> None:
        new = self.const(cls.__new__, "new_" + cls.__name__ + "_")
        self.flush()
        self.line(f"{target} = {new}({self.const(cls, 'c_')})")
        for f in cls.fields():
            if not f.exists(self.version) or f.is_tagged(self.version):
                self.line(f"{target}.{f.name} = {self.default(f)}")
        for f in self.plain_fields(cls):
            self.value(f, f"{target}.{f.name}", f"{cls.__name__}.{f.name}", self.flexible and f.flexible)
        self.flush()
        if self.flexible:
            self.tags(cls, target)

    def default(self, f: Field) -> str:
        if type(f.default) is list:
            return "[]"
        if f.default is None or type(f.default) in (int, bool, str, float, bytes):
            return repr(f.default) if f.default != float("inf") else "float('inf')"
        return self.const(f.default, "d_")

    def tags(self, cls: type[Struct], target: str) -> None:
        fields = self.tagged_fields(cls)
        self.line("if data[pos] == 0:")
        self.line("    pos += 1")
        self.line("else:")
        if not fields:
            self.line("    pos = skip_tags(data, pos, size)")
            return
        count, tag, length = self.name("n"), self.name("t"), self.name("z")
        self.depth += 1
        self.line(f"{count}, pos = uvarint(data, pos)")
        self.line(f"if {count} > MAX_TAGS: raise ProtocolError('too many tagged fields')")
        self.line(f"for _ in range({count}):")
        self.depth += 1
        self.line(f"{tag}, pos = uvarint(data, pos)")
        self.line(f"{length}, pos = uvarint(data, pos)")
        self.line(f"if {length} > size - pos: raise short('a tagged field')")
        for i, f in enumerate(fields):
            self.line(f"{'elif' if i else 'if'} {tag} == {f.tag}:")
            self.depth += 1
            self.value(f, f"{target}.{f.name}", f"{cls.__name__}.{f.name}", True, tagged=True)
            self.flush()
            self.depth -= 1
        self.line("else:")
        self.line(f"    pos += {length}")
        self.depth -= 2

    def value(self, f: Field, target: str, what: str, flexible: bool, tagged: bool = False) -> None:
        nullable = f.is_nullable(self.version)
        if f.array:
            self.array(f, target, what, flexible, nullable)
        elif isinstance(f.type, type):
            self.flush()
            if nullable and tagged:  # not the int8 of a plain field: a varint, 0 is null (seen of Kafka 4.3.1's classes)
                there = self.name("n")
                self.line(f"{there}, pos = uvarint(data, pos)")
                self.line(f"if {there} == 0 or {there} > 0x7fffffff:")
                self.line(f"    {target} = None")
            elif nullable:
                self.line("pos += 1")
                self.line("if data[pos - 1] > 127:")
                self.line(f"    {target} = None")
            if nullable:
                self.line("else:")
                self.depth += 1
            if nullable or tagged:
                self.spend(_cost(f.type, self.version), what)
            self.struct(f.type, target)
            if nullable:
                self.depth -= 1
        elif f.type in FIXED:
            code, size = FIXED[f.type]
            self.run.append((target, code, size))
        else:
            self.sized(str(f.type), target, what, flexible, nullable)

    def spend(self, cost: int | str, what: str) -> None:
        self.line(f"budget -= {cost}")
        self.line(f"if budget < 0: raise dear({what!r})")

    def length(self, flexible: bool, code: str, size: int) -> str:
        """Read a length or count into a variable; -1 (or less) is null."""
        n = self.name("n")
        if flexible:
            self.flush()
            self.line(f"{n} = data[pos] - 1")
            self.line("pos += 1")
            self.line(f"if {n} > 126:")
            self.line(f"    {n}, pos = uvarint(data, pos - 1)")
            self.line(f"    {n} = {n} - 1 if {n} <= 0x80000000 else -1")
        else:
            self.run.append((n, code, size))
            self.flush()
        return n

    def sized(self, kind: str, target: str, what: str, flexible: bool, nullable: bool) -> None:
        n = self.length(flexible, "h" if kind == "String" else "i", 2 if kind == "String" else 4)
        self.line(f"if {n} < 0:")
        self.line(f"    {target} = None" if nullable else f"    raise null({what!r})")
        self.line("else:")
        end = self.name("e")
        self.line(f"    {end} = pos + {n}")
        limit = " or " + f"{n} > {primitives.MAX_STRING_BYTES}" if kind == "String" and flexible else ""
        self.line(f"    if {end} > size{limit}: raise short({what!r})")
        cut = {
            "String": "str(data[pos:{e}], 'utf-8', 'replace')",
            "Bytes": "bytes(data[pos:{e}])",
            "Records": "memoryview(data)[pos:{e}]",
            "RecordBuffers": "[memoryview(data)[pos:{e}]]",
        }[kind].format(e=end)
        self.line(f"    {target} = {cut}")
        self.line(f"    pos = {end}")
        if kind == "String":  # one character beyond ASCII makes four bytes of each, which adds up in large frames only
            self.line(f"    if {n} > wide and not {target}.isascii():")
            self.depth += 2
            self.spend(f"{n} * 4", what)
            self.depth -= 2

    def array(self, f: Field, target: str, what: str, flexible: bool, nullable: bool) -> None:
        n = self.length(flexible, "i", 4)
        self.line(f"if {n} < 0:")
        self.line(f"    {target} = None" if nullable else f"    raise null({what!r})")
        self.line("else:")
        self.depth += 1
        if isinstance(f.type, str) and f.type in FIXED:
            code, size = FIXED[f.type]
            self.line(f"if {n} > (size - pos) // {size}: raise short({what!r})")
            self.spend(f"{n} * {ELEMENT_COST[f.type]}", what)
            if f.type == "Uuid":
                self.line(f"{target} = [bytes(data[p:p + 16]) for p in range(pos, pos + 16 * {n}, 16)]")
            else:
                self.scope["unpack_from"] = struct.unpack_from
                self.line(f"{target} = list(unpack_from('>%d{code}' % {n}, data, pos))")
            self.line(f"pos += {n} * {size}")
        else:
            cost = _cost(f.type, self.version) + POINTER if isinstance(f.type, type) else ELEMENT_COST[f.type]
            items, item = self.name("a"), self.name("x")
            self.line(f"if {n} > size - pos: raise short({what!r})")
            self.spend(f"{n} * {cost}", what)
            self.line(f"{target} = {items} = []")
            self.line(f"for _ in range({n}):")
            self.depth += 1
            if isinstance(f.type, type):
                self.struct(f.type, item)
            else:
                self.sized(f.type, item, what, flexible, False)
            self.line(f"{items}.append({item})")
            self.depth -= 1
        self.depth -= 1


class _Encoder(_Writer):
    def __init__(self, cls: type[Message], version: int) -> None:
        super().__init__(cls, version)
        self.run: list[tuple[str, str]] = []  # (expression, struct code): fixed fields not written yet
        self.scope |= {"uv": primitives.encode_uvarint, "UV": primitives.SMALL, "null": _null}

    def build(self) -> Callable[..., Any]:
        self.line("w = out.append")
        self.struct(self.cls, "m", "w")
        self.flush("w")
        return self.make("def run(m, out):")

    def flush(self, w: str) -> None:
        if not self.run:
            return
        pack = self.const(_packer(">" + "".join(code for _, code in self.run)), "p")
        self.line(f"{w}({pack}({', '.join(e for e, _ in self.run)}))")
        self.run = []

    def struct(self, cls: type[Struct], source: str, w: str) -> None:
        for f in self.plain_fields(cls):
            self.value(f, f"{source}.{f.name}", w, self.flexible and f.flexible, f"{cls.__name__}.{f.name}")
        if self.flexible:
            self.flush(w)
            self.tags(cls, source, w)

    def tags(self, cls: type[Struct], source: str, w: str) -> None:
        fields = self.tagged_fields(cls)
        if not fields:
            self.line(f"{w}(b'\\0')")
            return
        tags = self.name("tags")
        self.line(f"{tags} = None")
        for f in fields:
            part, inner, value = self.name("b"), self.name("w"), self.name("v")
            self.line(f"{value} = {source}.{f.name}")
            if isinstance(f.default, Struct):
                default = self.const(f.default, "d_")
                self.line(f"if {value} is not {default} and {value} != {default}:")
            elif f.default is None:
                self.line(f"if {value} is not None:")
            else:
                self.line(f"if {value} != {f.default!r}:")
            self.depth += 1
            self.line(f"{part} = []")
            self.line(f"{inner} = {part}.append")
            self.value(f, value, inner, True, f"{cls.__name__}.{f.name}", tagged=True)
            self.flush(inner)
            self.line(f"{part} = b''.join({part})")
            self.line(f"{tags} = ({tags} or []) + [uv({f.tag}) + uv(len({part})) + {part}]")
            self.depth -= 1
        self.line(f"{w}(b'\\0' if {tags} is None else uv(len({tags})) + b''.join({tags}))")

    def value(self, f: Field, source: str, w: str, flexible: bool, what: str, tagged: bool = False) -> None:
        nullable = f.is_nullable(self.version)
        if not f.array and isinstance(f.type, str) and f.type in FIXED:
            self.run.append((source, FIXED[f.type][0]))
            return
        if f.array or f.type in ("String", "Bytes", "Records", "RecordBuffers"):
            self.counted(f, source, w, flexible, nullable, what)
            return
        assert isinstance(f.type, type)
        self.flush(w)
        if nullable:
            value = self.name("v")
            self.line(f"{value} = {source}")
            null = b"\0" if tagged else b"\xff"
            self.line(f"if {value} is None: {w}({null!r})")
            self.line("else:")
            self.depth += 1
            self.line(f"{w}(b'\\x01')")
            self.struct(f.type, value, w)
            self.flush(w)
            self.depth -= 1
        else:
            self.struct(f.type, source, w)

    def counted(self, f: Field, source: str, w: str, flexible: bool, nullable: bool, what: str) -> None:
        """Strings, bytes, records and arrays: a length, then the contents."""
        short = f.type == "String" and not f.array
        value, n = self.name("v"), self.name("n")
        self.line(f"{value} = {source}")
        self.line(f"if {value} is None:")
        self.depth += 1
        if nullable:
            held = self.run[:]
            if flexible:
                self.flush(w)
                self.line(f"{w}(b'\\0')")
            else:
                self.run.append(("-1", "h" if short else "i"))
                self.flush(w)
            self.run = held
        else:
            self.line(f"null({what!r})")
        self.depth -= 1
        self.line("else:")
        self.depth += 1
        size = f"len({value})"
        if short:
            self.line(f"{value} = {value}.encode()")
        elif f.type == "RecordBuffers":
            size = f"sum(map(len, {value}))"
        if flexible:
            self.flush(w)
            self.line(f"{n} = {size} + 1")
            self.line(f"{w}(UV[{n}] if {n} < 128 else uv({n}))")
        else:
            self.run.append((size, "h" if short else "i"))
            self.flush(w)
        if f.array:
            self.elements(f, value, w, flexible, what)
        elif f.type == "RecordBuffers":
            self.line(f"for {n} in {value}: {w}({n})")
        else:
            self.line(f"{w}({value})")
        self.depth -= 1

    def elements(self, f: Field, value: str, w: str, flexible: bool, what: str) -> None:
        if isinstance(f.type, str) and f.type in FIXED and f.type != "Uuid":
            self.scope["pack"] = struct.pack
            self.line(f"{w}(pack('>%d{FIXED[f.type][0]}' % len({value}), *{value}))")
            return
        item = self.name("x")
        self.line(f"for {item} in {value}:")
        self.depth += 1
        if isinstance(f.type, type):
            before = len(self.lines)
            self.struct(f.type, item, w)
            self.flush(w)
            if len(self.lines) == before:
                self.line("pass")
        elif f.type == "Uuid":
            self.line(f"{w}({item})")
        else:
            element = Field("0+", "none", None, None, "", True)
            element.name, element.type, element.array, element.null = f.name, f.type, False, False
            self.value(element, item, w, flexible, what)
        self.depth -= 1


def _null(what: str) -> None:
    raise ValueError(f"{what} may not be null at this version")


_structs: dict[str, struct.Struct] = {}


def _struct(form: str) -> struct.Struct:
    return _structs.setdefault(form, struct.Struct(form))


_pack_calls: dict[str, Callable[..., bytes]] = {}
_unpack_calls: dict[str, Callable[..., tuple[Any, ...]]] = {}


def _packer(form: str) -> Callable[..., bytes]:
    return _pack_calls.setdefault(form, _struct(form).pack)


def _unpacker(form: str) -> Callable[..., tuple[Any, ...]]:
    return _unpack_calls.setdefault(form, _struct(form).unpack_from)


def make_reader(cls: type[Message], version: int) -> Callable[..., Any]:
    """The decoder of one version: (data, position) -> (message, position behind it)."""
    return _Decoder(cls, version).build()


def make_writer(cls: type[Message], version: int) -> Callable[..., Any]:
    """The encoder of one version: (message, list to append buffers to)."""
    return _Encoder(cls, version).build()
