"""From one format of minutiae to another, with an account of what was lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fpmatch.argument_types import takes
from fpmatch.errors import FormatError
from fpmatch.formats import cbeff_convert, itl, stored, xyt
from fpmatch.formats.cbeff import fingers
from fpmatch.formats.cbeff_values import NAME as CBEFF
from fpmatch.formats.cbeff_values import BiometricRecord
from fpmatch.formats.contents import templates_of
from fpmatch.formats.extended import translate
from fpmatch.formats.fir_convert import convert_images
from fpmatch.formats.fir_values import CODINGS, FingerImageRecord, ImageView
from fpmatch.formats.fmr_layouts import BY_NAME, Layout
from fpmatch.formats.itl_values import Transaction
from fpmatch.formats.table import NAMES, codec_of
from fpmatch.formats.templates import from_templates, to_templates
from fpmatch.formats.units import CM_PER_INCH, other_units
from fpmatch.formats.values import Device, TemplateRecord, View
from fpmatch.parameters import TEMPLATE
from fpmatch.template import Template
from fpmatch.types import FingerPosition, Impression

TARGETS = tuple(name for name in NAMES if name not in itl.NAMES)
"""What can be converted to: a transaction is more than its minutiae, so it is put together."""
_NOT_COMPUTED = 254
_PER_INCH = 1


@dataclass(frozen=True, slots=True)
class Conversion:
    """Content in its new format, and what the format could not take.

    Parameters
    ----------
    content : Template, TemplateRecord, FingerImageRecord or BiometricRecord
    losses : tuple of str
        Empty where converting back would give the same.
    """

    content: Template | TemplateRecord | FingerImageRecord | BiometricRecord
    losses: tuple[str, ...]


@takes(to=str)
def convert(
    content: Any,
    to: str,
    *,
    view: int | None = None,
    position: FingerPosition | None = None,
    ppi: float | None = None,
    size: tuple[int, int] | None = None,
) -> Conversion:
    """Bring content into another format.

    Parameters
    ----------
    content : Template, TemplateRecord, Transaction (its minutiae), FingerImageRecord or
        BiometricRecord
    to : str
        A name in `fpmatch.formats.TARGETS`.
    view : int, optional
        Which impression, from 0; all by default.
    position, ppi, size
        See `to_templates`.

    Raises
    ------
    FormatError
        If the format cannot take the content at all: several impressions where it holds one, views
        of different sizes where it has one size.
    """
    codec_of(to)
    if isinstance(content, BiometricRecord) and to == CBEFF:
        return Conversion(replace(content, deviations=()), ())
    unwrapped: list[str] = []
    if isinstance(content, BiometricRecord) and to in CODINGS:
        content, unwrapped = cbeff_convert.unwrap(content, to)
    content = _chosen(content, view, ppi, size)
    if isinstance(content, FingerImageRecord):
        views = tuple(_image_as_said(one, position, ppi, size) for one in content.views)
        content = replace(content, views=views)
        if to == CBEFF:
            return Conversion(cbeff_convert.wrap(content), ())
        images, lost = convert_images(content, to)
        return Conversion(images, (*unwrapped, *lost))
    if isinstance(content, TemplateRecord) and content.format in BY_NAME and to in BY_NAME:
        said = tuple(_view_as_said(one, position, ppi, size) for one in content.views)
        return _between_records(replace(content, views=said), BY_NAME[to])
    if isinstance(content, TemplateRecord) and content.format in BY_NAME and to == CBEFF:
        said = tuple(_view_as_said(one, position, ppi, size) for one in content.views)
        return Conversion(cbeff_convert.wrap(replace(content, views=said)), ())
    before = templates_of(content, position=position, ppi=ppi, size=size)
    if not before:
        raise FormatError("there are no minutiae in it; finger images go to fir2005 and fir2011")
    losses = list(_beyond_templates(content))
    if to == stored.NAMES[0]:
        if len(before) != 1:
            raise FormatError(f"a stored template is one view, not {len(before)}: choose one")
        return Conversion(before[0], tuple(losses))
    if to not in BY_NAME and to not in xyt.NAMES:
        raise FormatError(f"nothing is converted to {to!r:.40}: {', '.join(TARGETS)}")
    record = from_templates(before, to)
    after = to_templates(record, size=(before[0].width, before[0].height))
    for old, new in zip(before, after, strict=True):
        losses += (loss for loss in _between_templates(old, new) if loss not in losses)
    return Conversion(record, tuple(losses))


def _chosen(content: Any, view: int | None, ppi: float | None, size: tuple[int, int] | None) -> Any:
    if view is None or isinstance(content, Template):
        return content
    if isinstance(content, Transaction | BiometricRecord):
        found = templates_of(content, ppi=ppi, size=size)
        if not 0 <= view < len(found):
            raise FormatError(f"no view {view}; there are {len(found)}, counted from 0")
        return found[view]
    if not 0 <= view < len(content.views):
        raise FormatError(f"no view {view}; there are {len(content.views)}, counted from 0")
    return replace(content, views=(content.views[view],))


def _view_as_said(
    view: View, position: FingerPosition | None, ppi: float | None, size: tuple[int, int] | None
) -> View:
    """A view with what the caller knows better than the file."""
    width, height = size or (view.width, view.height)
    per_cm = None if ppi is None else round(ppi / CM_PER_INCH)
    return replace(
        view,
        position=view.position if position is None else int(position),
        resolution=view.resolution if per_cm is None else (per_cm, per_cm),
        width=width,
        height=height,
    )


def _image_as_said(
    view: ImageView,
    position: FingerPosition | None,
    ppi: float | None,
    size: tuple[int, int] | None,
) -> ImageView:
    width, height = size or (view.width, view.height)
    stated = (view.unit, view.resolution, view.scan_resolution)
    if ppi is not None:
        stated = (_PER_INCH, (round(ppi), round(ppi)), (round(ppi), round(ppi)))
    return replace(
        view,
        position=view.position if position is None else int(position),
        unit=stated[0],
        resolution=stated[1],
        scan_resolution=stated[2],
        width=width,
        height=height,
    )


def _between_templates(old: Template, new: Template) -> list[str]:
    """What a template lost on its way through a format."""
    losses = []
    if not np.array_equal(old.xy, new.xy):
        losses.append("positions rounded to whole pixels")
    if not np.array_equal(old.angle, new.angle):
        losses.append("angles rounded to the units of the format")
    for name in ("kind", "quality"):
        if not np.array_equal(getattr(old, name), getattr(new, name)):
            losses.append(f"{name} of minutiae")
    if old.orientation is not None:
        losses.append("orientation cells")
    for name in ("width", "height", "position", "impression", "image_quality", "extractor"):
        if getattr(old, name) != getattr(new, name):
            losses.append(name.replace("_", " "))
    if old.slap != new.slap:
        losses.append("that the finger was cut from a slap")
    return losses


def _beyond_templates(content: Any) -> list[str]:
    """What a record holds that no template does."""
    if isinstance(content, BiometricRecord):
        lost = [loss for one in fingers(content).templates for loss in _beyond_templates(one)]
        return list(dict.fromkeys([cbeff_convert.BESIDE, *lost]))
    if not isinstance(content, TemplateRecord):
        return []
    blocks = sorted({block.kind for view in content.views for block in view.blocks})
    losses = [f"extended data of kind {kind}" for kind in blocks]
    if any(len(view) > TEMPLATE.max_minutiae for view in content.views):
        losses.append(f"minutiae beyond the best {TEMPLATE.max_minutiae}")
    if content.product != (0, 0):
        losses.append("product identifier")
    views = content.views
    if any(view.device != Device() for view in views):
        losses.append("capture device")
    if any(view.time for view in views):
        losses.append("capture time")
    if any(view.certifications for view in views):
        losses.append("certifications")
    if any(len(view.qualities) > 1 or any(q.vendor for q in view.qualities) for view in views):
        losses.append("who computed the quality")
    return losses


def _between_records(record: TemplateRecord, target: Layout) -> Conversion:
    source = BY_NAME[record.format]
    if source is target:
        return Conversion(replace(record, deviations=()), ())
    losses: list[str] = []
    if record.product != (0, 0) and not target.incits:
        losses.append("product identifier")
    views = tuple(_translated(view, source, target, losses) for view in record.views)
    product = record.product if target.incits else (0, 0)
    result = TemplateRecord(target.name, views, product)
    codec_of(target.name).write(result)
    return Conversion(result, tuple(dict.fromkeys(losses)))


def _translated(view: View, source: Layout, target: Layout, losses: list[str]) -> View:
    angle = other_units(view.angle, source.turn, target.turn)
    if not np.array_equal(other_units(angle, target.turn, source.turn), view.angle):
        losses.append("angles rounded to the units of the format")
    blocks = []
    for block in view.blocks:
        kept = translate(block, source.name, target.name)
        if kept is None:
            losses.append(f"extended data of kind {block.kind}")
        else:
            blocks.append(kept)
    changes: dict[str, Any] = {"angle": angle, "blocks": tuple(blocks)}
    if view.impression > target.impressions:
        losses.append(f"impression type {view.impression}, written as live-scan plain")
        changes["impression"] = int(Impression.PLAIN)
    changes["device"] = _device(view.device, target, losses)
    if not target.representations:
        for name in ("time", "certifications", "ending"):
            if getattr(view, name):
                losses.append(f"{name} of the capture" if name == "time" else name)
                changes[name] = type(getattr(view, name))()
        if len(view.qualities) > 1:
            losses.append("all quality blocks but the first")
        changes["qualities"] = view.qualities[:1]
        if view.quality is None:
            changes["quality"] = np.zeros(len(view), np.uint8)
    if target.size_in_header:
        changes["qualities"] = tuple(
            replace(q, value=q.value if q.value < _NOT_COMPUTED else 0, vendor=0, algorithm=0)
            for q in changes["qualities"]
        )
        if changes["qualities"] != view.qualities[:1]:
            losses.append("who computed the quality, or that no one did")
    if target.representations and not any(q.value or q.vendor for q in view.qualities):
        changes["qualities"] = ()
    return replace(view, **changes)


def _device(device: Device, target: Layout, losses: list[str]) -> Device:
    certification = device.certification
    if target.representations:
        certification = 0
    elif not target.compliance_byte:
        certification = min(certification, 0xF)
    narrow = not target.compliance_byte and not target.representations
    kept = Device(
        0 if narrow and device.kind > 0xFFF else device.kind,
        certification,
        device.vendor if target.representations else 0,
        device.technology if target.representations else 0,
    )
    if kept != device:
        losses.append("capture device in full")
    return kept
