"""Template -> fixed-size binary codes: the search form."""

from fpmatch.descriptor.encode import encode, encode_many
from fpmatch.descriptor.scales import encode_scales
from fpmatch.descriptor.search_template import (
    COLUMNS,
    PackedTemplates,
    SearchTemplate,
    check_form,
    pack,
)

__all__ = [
    "COLUMNS",
    "PackedTemplates",
    "SearchTemplate",
    "check_form",
    "encode",
    "encode_many",
    "encode_scales",
    "pack",
]
