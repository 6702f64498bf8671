"""Keeping a gallery: checked, mended, backed up, restored, moved."""

from fpmatch.upkeep.archive import Archived, export_archive, import_archive
from fpmatch.upkeep.backup import Backup, backup
from fpmatch.upkeep.check import check
from fpmatch.upkeep.finding import Finding
from fpmatch.upkeep.keys_apart import item_keys
from fpmatch.upkeep.removals import removals
from fpmatch.upkeep.repair import repair
from fpmatch.upkeep.restore import Restored, restore

__all__ = [
    "Archived",
    "Backup",
    "Finding",
    "Restored",
    "backup",
    "check",
    "export_archive",
    "import_archive",
    "item_keys",
    "removals",
    "repair",
    "restore",
]
