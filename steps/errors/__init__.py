"""Every way in which a phase can end badly: one module a room, all of them reached as `errors.Name`."""

from steps.errors.archive import *
from steps.errors.base import *
from steps.errors.catalogue import *
from steps.errors.contract import *
from steps.errors.evidence import *
from steps.errors.files import *
from steps.errors.kubernetes import *
from steps.errors.parts import *
from steps.errors.phases import *
from steps.errors.plans import *
from steps.errors.postgresql import *
from steps.errors.process import *
from steps.errors.redis import *
from steps.errors.repository import *
from steps.errors.restic import *
from steps.errors.threescale import *
