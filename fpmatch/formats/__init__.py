"""Interchange formats: bytes <-> what they hold, recognised by content.

A file is read with `read` into a value that holds all of it, so that `write` loses nothing; the
templates in it come from `read_templates`. `fpmatch.formats.table` is the table of formats.
"""

from fpmatch.formats.cbeff_values import BdbInfo, BiometricRecord, Bir, BirInfo, Quality, RegistryId
from fpmatch.formats.contents import pictures_of, read_templates, templates_of
from fpmatch.formats.convert import TARGETS, Conversion, convert
from fpmatch.formats.extended import (
    CoresAndDeltas,
    RidgeCounts,
    Singularity,
    cores_and_deltas,
    cores_and_deltas_block,
    ridge_counts,
    ridge_counts_block,
)
from fpmatch.formats.fir_values import FingerImageRecord, ImageView
from fpmatch.formats.itl_values import (
    BinaryRecord,
    Field,
    TaggedRecord,
    Transaction,
    tagged,
)
from fpmatch.formats.pictures import Picture, Segment
from fpmatch.formats.slaps import cut_slap, templates_in
from fpmatch.formats.table import NAMES, format_of, read, recognise, write
from fpmatch.formats.templates import from_templates, to_templates, turn_of
from fpmatch.formats.values import (
    CORES_AND_DELTAS,
    RIDGE_COUNTS,
    ZONAL_QUALITY,
    Block,
    Deviation,
    Device,
    QualityBlock,
    TemplateRecord,
    View,
)

__all__ = [
    "CORES_AND_DELTAS",
    "NAMES",
    "RIDGE_COUNTS",
    "TARGETS",
    "ZONAL_QUALITY",
    "BdbInfo",
    "BinaryRecord",
    "BiometricRecord",
    "Bir",
    "BirInfo",
    "Block",
    "Conversion",
    "CoresAndDeltas",
    "Deviation",
    "Device",
    "Field",
    "FingerImageRecord",
    "ImageView",
    "Picture",
    "Quality",
    "QualityBlock",
    "RegistryId",
    "RidgeCounts",
    "Segment",
    "Singularity",
    "TaggedRecord",
    "TemplateRecord",
    "Transaction",
    "View",
    "convert",
    "cores_and_deltas",
    "cores_and_deltas_block",
    "cut_slap",
    "format_of",
    "from_templates",
    "pictures_of",
    "read",
    "read_templates",
    "recognise",
    "ridge_counts",
    "ridge_counts_block",
    "tagged",
    "templates_in",
    "templates_of",
    "to_templates",
    "turn_of",
    "write",
]
