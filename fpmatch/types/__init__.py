"""Values that cross rooms: fingers, agencies, requests, decisions, outcomes."""

from fpmatch.finger import FingerPosition, Impression, MinutiaType
from fpmatch.types.access import (
    Decision,
    Facts,
    Mask,
    Outcome,
    PartitionDecision,
    PartitionInfo,
    Permission,
    Reason,
)
from fpmatch.types.agency import Ori
from fpmatch.types.claim import Claim, claim_of
from fpmatch.types.coverage import Coverage
from fpmatch.types.looking import (
    GalleryInfo,
    PartitionSummary,
    RecordCount,
    RecordInfo,
    RecordPage,
    RecordsRequest,
    Verification,
)
from fpmatch.types.opting_out import OptOutReceipt
from fpmatch.types.pairing import Minutia, Pairing
from fpmatch.types.saved import read_response
from fpmatch.types.search import (
    Candidate,
    FingerScore,
    Note,
    NoteKind,
    PartitionResult,
    Record,
    SearchCost,
    SearchRequest,
    SearchResponse,
)
from fpmatch.types.stored import SourcedRecord, StoredFinger, StoredRecord, TemplatePage

__all__ = [
    "Candidate",
    "Claim",
    "Coverage",
    "Decision",
    "Facts",
    "FingerPosition",
    "FingerScore",
    "GalleryInfo",
    "Impression",
    "Mask",
    "Minutia",
    "MinutiaType",
    "Note",
    "NoteKind",
    "OptOutReceipt",
    "Ori",
    "Outcome",
    "Pairing",
    "PartitionDecision",
    "PartitionInfo",
    "PartitionResult",
    "PartitionSummary",
    "Permission",
    "Reason",
    "Record",
    "RecordCount",
    "RecordInfo",
    "RecordPage",
    "RecordsRequest",
    "SearchCost",
    "SearchRequest",
    "SearchResponse",
    "SourcedRecord",
    "StoredFinger",
    "StoredRecord",
    "TemplatePage",
    "Verification",
    "claim_of",
    "read_response",
]
