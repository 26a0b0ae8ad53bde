"""The networks that `backbone.network` can name. To add one, add a line here; CONTRIBUTING.md has the other steps.

Nothing here imports torch: the settings read this table, and `status` reads the settings.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.backbone.protocol import Backbone

NETWORKS = {  # name -> "module:class", the class a subclass of models.backbone.protocol.Backbone
    "shift-gcn": "models.shift_gcn.network:ShiftGCN",
}


def network_class(name: str) -> "type[Backbone]":
    """The class of the network called `name`, one of NETWORKS."""
    module, _, class_name = NETWORKS[name].partition(":")
    network: type[Backbone] = getattr(import_module(module), class_name)
    return network
