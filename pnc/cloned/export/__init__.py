"""Files for a receiver: the target with its clones in one (safetensors, torch.export, ONNX), or a clone alone."""

from pnc.cloned.export._formats import Format
from pnc.cloned.export._module import AnyPackage, ModulePackage, write_module
from pnc.cloned.export._write import write_export
from pnc.cloned.export.exported import ExportedModel, load_exported

__all__ = [
    "AnyPackage",
    "ExportedModel",
    "Format",
    "ModulePackage",
    "load_exported",
    "write_export",
    "write_module",
]
