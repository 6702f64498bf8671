"""Synthetic prints with exact ground truth, and galleries of templates by the million."""

from fpmatch.synthetic.finger import Master, master
from fpmatch.synthetic.gallery import TemplateBatch, batches, mates, templates
from fpmatch.synthetic.orientation import PatternClass
from fpmatch.synthetic.placement import Placement
from fpmatch.synthetic.sensors import SENSORS, Sensor
from fpmatch.synthetic.slap import Slap, SlapTruth, slap
from fpmatch.synthetic.touch import Print, impression
from fpmatch.synthetic.write import write_prints

__all__ = [
    "SENSORS",
    "Master",
    "PatternClass",
    "Placement",
    "Print",
    "Sensor",
    "Slap",
    "SlapTruth",
    "TemplateBatch",
    "batches",
    "impression",
    "master",
    "mates",
    "slap",
    "templates",
    "write_prints",
]
