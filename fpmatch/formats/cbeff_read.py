"""XML -> `BiometricRecord`."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

from fpmatch.checks import quoted
from fpmatch.errors import FormatError
from fpmatch.formats.cbeff_values import (
    FINGER,
    NAMESPACE,
    BdbInfo,
    BiometricRecord,
    Bir,
    BirInfo,
    Quality,
    RegistryId,
)
from fpmatch.formats.values import Deviation
from fpmatch.formats.xml_tree import Node, parse
from fpmatch.parameters import FORMATS

_SPACES = b" \t\r\n"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_DATE = re.compile(r"-?\d{4,9}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_NUMBER = re.compile(r"\d{1,10}")
_BEST_QUALITY = 100
_NO_INFO = BirInfo(integrity=None)
_LARGEST = 2**32 - 1
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_ONCE = frozenset({"BDB", "BDBInfo", "Type", "Subtype", "SB", "Encryption"})
"""Which of two would be meant makes another record of it: refused, where others take the first."""
_TYPES = frozenset(
    {
        *("Scent", "DNA", "Ear", "Face", FINGER, "Foot", "HandGeometry", "Vein", "Iris", "Retina"),
        *("Voice", "Gait", "Keystroke", "LipMovement", "SignatureSign", "Palm", "BackOfHand"),
        *("Wrist", "ExceptionPhoto"),
    }
)
_SUBTYPES = frozenset(
    {
        *("Left", "Right", "Thumb", "IndexFinger", "MiddleFinger", "RingFinger", "LittleFinger"),
        *("LeftVein", "RightVein", "Palm", "BackOfHand", "Wrist", "Reserved1", "Reserved2"),
    }
)
_LEVELS = frozenset({"Raw", "Intermediate", "Processed"})
_PURPOSES = frozenset({"Verify", "Identify", "Enroll", "EnrollVerify", "EnrollIdentify", "Audit"})
_DATES = ("CreationDate", "NotValidBefore", "NotValidAfter")
_REGISTERED = (
    ("format", "Format"),
    ("product", "Product"),
    ("device", "CaptureDevice"),
    ("extraction", "FeatureExtractionAlgorithm"),
    ("comparison", "ComparisonAlgorithm"),
    ("compression", "CompressionAlgorithm"),
)


def read(data: bytes, name: str) -> BiometricRecord:
    """Read a file; see `Deviation`.

    Raises
    ------
    FormatError
        With the byte position, if it is no XML that `fpmatch.formats.xml_tree` takes, its outermost
        element is no BIR, a block is no base64, or what may stand once stands twice.
    """
    root = parse(data)
    if root.name != "BIR" or root.space not in ("", NAMESPACE):
        raise FormatError("the outermost element is no BIR of ISO/IEC 19785-3", root.at)
    return _Reader(root.space).file(root)


class _Reader:
    """Reads one file and notes what it passes over."""

    def __init__(self, space: str) -> None:
        self._space = space
        self._notes: list[Deviation] = []
        self._records = 0

    def file(self, root: Node) -> BiometricRecord:
        if not self._space:
            self._note(root, "the elements are of no namespace")
        bir = self._bir(root)
        return BiometricRecord(bir, tuple(self._notes))

    def _note(self, node: Node, what: str) -> None:
        if len(self._notes) < FORMATS.max_records:
            self._notes.append(Deviation(node.at, what))

    # -- records ----------------------------------------------------------------------------------

    def _bir(self, node: Node) -> Bir:
        self._records += 1
        if self._records > FORMATS.max_records:
            raise FormatError(f"over {FORMATS.max_records} records", node.at)
        parts = self._parts(
            node,
            ["Version", "CBEFFVersion", "BIRInfo", "BDBInfo", "SBInfo", "BDB", "SB"],
            several=("BIR", "Others", "others"),
        )
        info, about = parts.get("BIRInfo"), parts.get("BDBInfo")
        if info is None:
            self._note(node, "a record without BIRInfo")
        security = parts.get("SBInfo")
        return Bir(
            data=self._binary(parts.get("BDB")),
            version=self._version(parts.get("Version")),
            cbeff_version=self._version(parts.get("CBEFFVersion")),
            info=_NO_INFO if info is None else self._info(info),
            about=None if about is None else self._about(about),
            security_format=None
            if security is None
            else self._registered(self._parts(security, ["Format"]).get("Format")),
            security=self._binary(parts.get("SB")),
            others=self._others(node),
            records=tuple(self._bir(child) for child in node.children if self._is(child, "BIR")),
            at=node.at,
        )

    def _is(self, node: Node, name: str) -> bool:
        return node.name == name and node.space == self._space

    def _parts(
        self, node: Node, names: list[str], several: tuple[str, ...] = ()
    ) -> dict[str, Node]:
        """The first child of each name."""
        found: dict[str, Node] = {}
        for child in node.children:
            if child.space != self._space or child.name not in (*names, *several):
                self._note(child, f"{quoted(child.name)} in {node.name} is passed over")
            elif child.name in found:
                if child.name in _ONCE:
                    raise FormatError(f"a second {child.name} in {node.name}", child.at)
                self._note(child, f"a second {child.name} in {node.name} is passed over")
            elif child.name not in several:
                found[child.name] = child
        return found

    def _others(self, node: Node) -> tuple[tuple[str, str], ...]:
        """Facts by name, in either way that MOSIP has written them."""
        out = []
        for child in node.children:
            if self._is(child, "Others"):
                parts = self._parts(child, ["Key", "Value"])
                if parts:
                    out.append((self._text(parts.get("Key")), self._text(parts.get("Value"))))
            elif self._is(child, "others"):
                entries = [one for one in child.children if self._is(one, "entry")]
                out += [(one.attributes.get("key", "").strip(), one.text) for one in entries]
        return tuple(out)

    def _info(self, node: Node) -> BirInfo:
        names = ["Creator", "Index", "Payload", "Integrity", *_DATES]
        parts = self._parts(node, names)
        return BirInfo(
            creator=self._text(parts.get("Creator")),
            index=self._text(parts.get("Index")),
            payload=self._binary(parts.get("Payload")),
            integrity=self._boolean(parts.get("Integrity")),
            created=self._date(parts.get("CreationDate")),
            not_before=self._date(parts.get("NotValidBefore")),
            not_after=self._date(parts.get("NotValidAfter")),
        )

    def _about(self, node: Node) -> BdbInfo:
        names = [name for _, name in _REGISTERED]
        names += [
            "ChallengeResponse",
            "Index",
            "Encryption",
            "CreationDate",
            "NotValidBefore",
            "NotValidAfter",
        ]
        names += ["Type", "Subtype", "Level", "Purpose", "Quality"]
        parts = self._parts(node, names)
        quality = parts.get("Quality")
        registered = {field: self._registered(parts.get(name)) for field, name in _REGISTERED}
        return BdbInfo(
            challenge=self._binary(parts.get("ChallengeResponse")),
            index=self._text(parts.get("Index")),
            encrypted=self._boolean(parts.get("Encryption")),
            created=self._date(parts.get("CreationDate")),
            not_before=self._date(parts.get("NotValidBefore")),
            not_after=self._date(parts.get("NotValidAfter")),
            types=self._words(parts.get("Type"), _TYPES),
            subtypes=self._words(parts.get("Subtype"), _SUBTYPES),
            level=self._word(parts.get("Level"), _LEVELS),
            purpose=self._word(parts.get("Purpose"), _PURPOSES),
            quality=None if quality is None else self._quality(quality),
            **registered,
        )

    # -- values -----------------------------------------------------------------------------------

    def _text(self, node: Node | None) -> str:
        return "" if node is None else node.text

    def _binary(self, node: Node | None) -> bytes:
        """Base64, of the usual alphabet or of the one for addresses, padded or not."""
        if node is None:
            return b""
        try:
            raw = node.text.encode("ascii").translate(None, _SPACES)
            safe = raw.translate(_URL_SAFE)
            if safe is not raw and safe != raw and (b"+" in raw or b"/" in raw):
                raise FormatError(f"{node.name} mixes two alphabets of base64", node.at)
            bare = safe.rstrip(b"=")
            return binascii.a2b_base64(bare + b"=" * (-len(bare) % 4), strict_mode=True)
        except (UnicodeEncodeError, binascii.Error):
            raise FormatError(f"{node.name} is no base64", node.at) from None

    def _checked(self, node: Node | None, known: Callable[[str], bool], what: str) -> str:
        if node is None:
            return ""
        if not known(node.text):
            self._note(node, f"{node.name}: {quoted(node.text)} is no {what}")
        return node.text

    def _date(self, node: Node | None) -> str:
        return self._checked(node, lambda text: _DATE.fullmatch(text) is not None, "date")

    def _word(self, node: Node | None, known: frozenset[str]) -> str:
        return self._checked(node, known.__contains__, "value of the standard")

    def _words(self, node: Node | None, known: frozenset[str]) -> tuple[str, ...]:
        text = self._checked(node, lambda text: known.issuperset(text.split()), "known type")
        return tuple(text.split())

    def _boolean(self, node: Node | None) -> bool | None:
        if node is None:
            return None
        if node.text not in _BOOLEANS:
            # Taken as unknown it could open what is shut.
            raise FormatError(
                f"{node.name}: {quoted(node.text)} is neither true nor false", node.at
            )
        return _BOOLEANS[node.text]

    def _number(self, node: Node, what: str) -> int:
        if _NUMBER.fullmatch(node.text) is None:
            raise FormatError(f"{node.name}: {quoted(node.text)} is no {what}", node.at)
        if int(node.text) > _LARGEST:
            raise FormatError(f"{node.name}: {node.text} is too large", node.at)
        return int(node.text)

    def _version(self, node: Node | None) -> tuple[int, int] | None:
        if node is None:
            return None
        parts = self._parts(node, ["Major", "Minor"])
        if len(parts) < 2:
            raise FormatError(f"{node.name} without Major and Minor", node.at)
        return self._number(parts["Major"], "version"), self._number(parts["Minor"], "version")

    def _registered(self, node: Node | None) -> RegistryId | None:
        if node is None:
            return None
        parts = self._parts(node, ["Organization", "Type"])
        return RegistryId(self._text(parts.get("Organization")), self._text(parts.get("Type")))

    def _quality(self, node: Node) -> Quality:
        parts = self._parts(node, ["Algorithm", "Score", "QualityCalculationFailed"])
        score = None
        if "Score" in parts:
            score = self._number(parts["Score"], "quality")
            if score > _BEST_QUALITY:
                self._note(parts["Score"], f"a quality of {score}")
        return Quality(
            self._registered(parts.get("Algorithm")),
            score,
            self._text(parts.get("QualityCalculationFailed")),
        )
