"""A reader of pickles that cannot run anything: the stack machine, with every way out of it closed.

Python's own `pickle` calls whatever a file names. This machine interprets the same opcodes and makes numbers, text,
containers, spans of bytes, and whatever a caller's table of names allows; any other name, and every way of calling
something that is not in the table, is refused *by name* when it is mentioned, not when it is called.

Memory and time are bounded by the file: lengths are checked before allocation (`spans.Reader`), long byte strings stay
on disk, steps are counted (`Budget`), recursion is not used, and keys of dicts and sets are short.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from .errors import Malformed, Refused, printable
from .pickle_limits import MAX_INT_BYTES, MAX_TEXT, SHORT, Budget, checked_key, copied
from .spans import Reader

Maker = Callable[[tuple], object]


@runtime_checkable
class Buildable(Protocol):
    """A stand-in that takes its pickled state."""

    def build(self, state: object) -> None: ...


@dataclass(frozen=True, eq=False)
class Name:
    """A name from the caller's table; `make` gives the stand-in of what calling it would have given."""

    name: str
    make: Maker | None


class Machine:
    """Reads one pickle from `reader`; `names` maps "module.name" to its maker (None: may be named, not called)."""

    def __init__(
        self, reader: Reader, names: Mapping[str, Maker | None], budget: Budget, persistent: Callable[[object], object] | None = None
    ):
        self.reader, self.names, self.budget, self.persistent = reader, names, budget, persistent
        self.stack: list = []
        self.marks: list[list] = []
        self.memo: dict[int, object] = {}

    def run(self) -> object:
        """The pickled value. Raises Malformed, or Refused where the file asks for more than data."""
        while True:
            code = self.reader.read(1)
            self.budget.spend(1, self.reader.span.offset + self.reader.position)
            if code == b".":
                return self.pop()
            step = STEPS.get(code)
            if step is None:
                raise Malformed(f"an instruction that snapshots do not use ({code!r} at byte {self.reader.position - 1})")
            step(self)

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> object:
        if not self.stack:
            raise Malformed(f"a value is missing at byte {self.reader.position}")
        return self.stack.pop()

    def top(self, kind: type, what: str) -> object:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise Malformed(f"{what} is missing at byte {self.reader.position}")
        return self.stack[-1]

    def pop_mark(self) -> list:
        if not self.marks:
            raise Malformed(f"a mark is missing at byte {self.reader.position}")
        items, self.stack = self.stack, self.marks.pop()
        return items

    def unpack(self, layout: str) -> int:
        return struct.unpack("<" + layout, self.reader.read(struct.calcsize("<" + layout)))[0]

    # Names, and what stands for calling them

    def push_name(self, module: object, name: object) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise Malformed("a name that is not text")
        full = f"{module}.{name}"
        if full not in self.names:
            raise Refused(f"refused: the file asks to run {printable(full)}")
        self.push(Name(full, self.names[full]))

    def call(self, target: object, args: object) -> object:
        if not isinstance(target, Name):
            raise Refused(f"refused: the file asks to call a {type(target).__name__}")
        if target.make is None or not isinstance(args, tuple):
            raise Refused(f"refused: the file asks to call {target.name} in an unknown way")
        self.budget.spend(copied(args), self.reader.position)
        return target.make(args)

    def build(self) -> None:
        state = self.pop()
        target = self.top(object, "an object")
        if isinstance(target, dict) and isinstance(state, dict):
            self.budget.spend(len(state), self.reader.position)
            target.update(state)
        elif isinstance(target, Buildable):
            target.build(state)
        elif not (isinstance(target, dict) and state is None):
            raise Refused(f"refused: the file asks to change a {type(target).__name__}")

    # Containers

    def set_items(self, items: list) -> None:
        target = self.top(dict, "a dict")
        assert isinstance(target, dict)
        if len(items) % 2:
            raise Malformed("a dict with a key and no value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[checked_key(key)] = value

    def append(self, items: list) -> None:
        target = self.top(list, "a list")
        assert isinstance(target, list)
        target.extend(items)

    def add(self, items: list) -> None:
        target = self.top(set, "a set")
        assert isinstance(target, set)
        target.update(checked_key(item) for item in items)

    def tuple_of(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def drop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.pop_mark()

    # Memory of earlier values

    def remember(self, index: int) -> None:
        self.memo[index] = self.top(object, "a value")

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise Malformed(f"value {index} is used before it is given")
        self.push(self.memo[index])

    # Scalars

    def push_int(self, count: int) -> None:
        if not 0 <= count <= MAX_INT_BYTES:
            raise Malformed(f"an integer of {count} bytes")
        self.push(int.from_bytes(self.reader.read(count), "little", signed=True))

    def push_text(self, count: int) -> None:
        if count > MAX_TEXT:
            raise Malformed(f"a text of {count} bytes at byte {self.reader.position}")
        self.budget.spend(count >> 8, self.reader.position)
        try:
            self.push(self.reader.read(count).decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            raise Malformed(f"text that is not UTF-8 at byte {self.reader.position}") from None

    def push_bytes(self, count: int) -> None:
        if count < 0:
            raise Malformed(f"a byte string of {count} bytes")
        self.push(self.reader.read(count) if count <= SHORT else self.reader.skip(count))

    def push_old_bytes(self, count: int) -> None:
        """Python 2's `str`: text where short (names), bytes where long (numbers of an array)."""
        self.push_bytes(count)
        if isinstance(self.stack[-1], bytes):
            self.stack[-1] = self.stack[-1].decode("latin-1")

    def push_persistent(self) -> None:
        if self.persistent is None:
            raise Refused("refused: the file refers to an object outside itself")
        self.push(self.persistent(self.pop()))

    def refuse_extension(self, layout: str) -> None:
        raise Refused(f"refused: the file asks to run the registered extension {self.unpack(layout)}")


def _new(m: Machine) -> None:
    args, target = m.pop(), m.pop()
    m.push(m.call(target, args))


def _new_with_keywords(m: Machine) -> None:
    keywords, args, target = m.pop(), m.pop(), m.pop()
    if keywords != {}:
        raise Refused(f"refused: the file asks to call {target.name if isinstance(target, Name) else 'an object'} with keywords")
    m.push(m.call(target, args))


def _set_one(m: Machine) -> None:
    value, key = m.pop(), m.pop()
    m.set_items([key, value])


def _append_one(m: Machine) -> None:
    item = m.pop()
    m.append([item])


def _name_from_stack(m: Machine) -> None:
    name, module = m.pop(), m.pop()
    m.push_name(module, name)


def _frozen_set(m: Machine) -> None:
    items = m.pop_mark()
    m.push(frozenset(checked_key(item) for item in items))


def _binary_float(m: Machine) -> None:
    m.push(struct.unpack(">d", m.reader.read(8))[0])


def _old_object(m: Machine) -> None:
    items = m.pop_mark()
    name = items[0].name if items and isinstance(items[0], Name) else "an object"
    raise Refused(f"refused: the file asks to make {name} in a way that snapshots do not use")


def _old_instance(m: Machine) -> None:
    name = printable(f"{m.reader.line()}.{m.reader.line()}")
    raise Refused(f"refused: the file asks to run {name}")


def _text_number(m: Machine) -> None:
    line = m.reader.line().rstrip("L")
    try:
        m.push({"00": False, "01": True}[line] if line in ("00", "01") else int(line) if line.lstrip("-").isdigit() else float(line))
    except ValueError:
        raise Malformed(f"{printable(line, 20)!r} is not a number") from None


def _index(m: Machine) -> int:
    line = m.reader.line()
    return int(line) if line.isascii() and line.isdigit() and len(line) < 10 else -1


def _dict_of_marked(m: Machine) -> None:
    items = m.pop_mark()
    m.push({})
    m.set_items(items)


STEPS: dict[bytes, Callable[[Machine], None]] = {
    b"\x80": lambda m: _protocol(m.unpack("B")),
    b"\x95": lambda m: _frame(m, m.unpack("Q")),
    b"(": Machine.mark,
    b"0": Machine.drop,
    b"1": lambda m: _ignore(m.pop_mark()),
    b"2": lambda m: m.push(m.top(object, "a value")),
    # scalars
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"J": lambda m: m.push(m.unpack("i")),
    b"K": lambda m: m.push(m.unpack("B")),
    b"M": lambda m: m.push(m.unpack("H")),
    b"\x8a": lambda m: m.push_int(m.unpack("B")),
    b"\x8b": lambda m: m.push_int(m.unpack("i")),
    b"G": _binary_float,
    b"I": _text_number,
    b"L": _text_number,
    b"F": _text_number,
    # text and bytes
    b"\x8c": lambda m: m.push_text(m.unpack("B")),
    b"V": lambda m: m.push(m.reader.line()),
    b"X": lambda m: m.push_text(m.unpack("I")),
    b"\x8d": lambda m: m.push_text(m.unpack("Q")),
    b"C": lambda m: m.push_bytes(m.unpack("B")),
    b"B": lambda m: m.push_bytes(m.unpack("I")),
    b"\x8e": lambda m: m.push_bytes(m.unpack("Q")),
    b"\x96": lambda m: m.push_bytes(m.unpack("Q")),
    b"U": lambda m: m.push_old_bytes(m.unpack("B")),
    b"T": lambda m: m.push_old_bytes(m.unpack("i")),
    # containers
    b"]": lambda m: m.push([]),
    b"}": lambda m: m.push({}),
    b"\x8f": lambda m: m.push(set()),
    b")": lambda m: m.push(()),
    b"\x85": lambda m: m.tuple_of(1),
    b"\x86": lambda m: m.tuple_of(2),
    b"\x87": lambda m: m.tuple_of(3),
    b"t": lambda m: m.push(tuple(m.pop_mark())),
    b"l": lambda m: m.push(m.pop_mark()),
    b"d": _dict_of_marked,
    b"a": _append_one,
    b"e": lambda m: m.append(m.pop_mark()),
    b"s": _set_one,
    b"u": lambda m: m.set_items(m.pop_mark()),
    b"\x90": lambda m: m.add(m.pop_mark()),
    b"\x91": _frozen_set,
    # memory
    b"p": lambda m: m.remember(_index(m)),
    b"q": lambda m: m.remember(m.unpack("B")),
    b"r": lambda m: m.remember(m.unpack("I")),
    b"\x94": lambda m: m.remember(len(m.memo)),
    b"g": lambda m: m.recall(_index(m)),
    b"h": lambda m: m.recall(m.unpack("B")),
    b"j": lambda m: m.recall(m.unpack("I")),
    # names and calls
    b"c": lambda m: m.push_name(m.reader.line(), m.reader.line()),
    b"\x93": _name_from_stack,
    b"i": _old_instance,
    b"o": _old_object,
    b"R": _new,
    b"\x81": _new,
    b"\x92": _new_with_keywords,
    b"b": Machine.build,
    b"Q": Machine.push_persistent,
    b"\x82": lambda m: m.refuse_extension("B"),
    b"\x83": lambda m: m.refuse_extension("H"),
    b"\x84": lambda m: m.refuse_extension("i"),
}


def _protocol(version: int) -> None:
    if version > 5:
        raise Malformed(f"pickle protocol {version}; 5 is the newest known")


def _frame(m: Machine, length: int) -> None:
    if length > m.reader.left:
        raise Malformed(f"the data ends early: a frame of {length} bytes is announced, {m.reader.left} are left")


def _ignore(_: list) -> None: ...
