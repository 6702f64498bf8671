"""One engine over many hosts: who holds which records, and how they are asked.

The coordinator is an `fpmatch.Engine` as any other: it has the system of record, decides, logs and
releases. Hosts hold rows of partitions and no policy; what they are asked is signed.
`docs/cluster.md` draws one search through a cluster.
"""

from fpmatch.cluster.asking import Asked
from fpmatch.cluster.cluster import Cluster
from fpmatch.cluster.host import Host
from fpmatch.cluster.in_process import InProcess
from fpmatch.cluster.layout import Layout
from fpmatch.cluster.status import HostLevel
from fpmatch.cluster.transport import Transport

__all__ = ["Asked", "Cluster", "Host", "HostLevel", "InProcess", "Layout", "Transport"]
