"""Encryption at rest: the caller's keys, the keys of a gallery, values and files under them."""

from fpmatch.encryption.box import PLAIN_BOX, Box, PlainBox
from fpmatch.encryption.chest import NAME, Chest, chest_of
from fpmatch.encryption.files import PLAIN_FILES, EncryptedFiles, Files
from fpmatch.encryption.ring import KeySource

__all__ = [
    "NAME",
    "PLAIN_BOX",
    "PLAIN_FILES",
    "Box",
    "Chest",
    "EncryptedFiles",
    "Files",
    "KeySource",
    "PlainBox",
    "chest_of",
]
