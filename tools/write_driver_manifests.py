#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the loader's JSON files for the unpacked SwiftShader and validation layer.

Usage: write_driver_manifests.py FOLDER PACKAGE_VERSION. The layer's version is asked of the layer
itself, because the loader refuses a manifest that disagrees and the package moves often.
"""
import ctypes
import json
import sys
from pathlib import Path

LAYER = "VK_LAYER_KHRONOS_validation"
LAYER_LIBRARY = "libVkLayer_khronos_validation.so"
DRIVER_LIBRARY = "libvk_swiftshader.so"
LAYER_EXTENSIONS = ("VK_EXT_debug_report", "VK_EXT_debug_utils", "VK_EXT_validation_features")


class LayerProperties(ctypes.Structure):
    """VkLayerProperties."""

    _fields_ = [
        ("name", ctypes.c_char * 256),
        ("spec_version", ctypes.c_uint32),
        ("implementation_version", ctypes.c_uint32),
        ("description", ctypes.c_char * 256),
    ]


def version_text(version):
    """Vulkan's packed version as 1.4.364."""
    return f"{(version >> 22) & 0x7F}.{(version >> 12) & 0x3FF}.{version & 0xFFF}"


def query_layer(path):
    library = ctypes.CDLL(str(path))
    count, properties = ctypes.c_uint32(1), LayerProperties()
    library.vkEnumerateInstanceLayerProperties(ctypes.byref(count), ctypes.byref(properties))
    if properties.name.decode() != LAYER:
        raise SystemExit(f"{path}: expected {LAYER}, got {properties.name.decode()!r}")
    return properties


def layer_manifest(properties):
    extensions = [{"name": name, "spec_version": "1"} for name in LAYER_EXTENSIONS]
    return {
        "file_format_version": "1.2.0",
        "layer": {
            "name": LAYER,
            "type": "GLOBAL",
            "library_path": f"./{LAYER_LIBRARY}",
            "api_version": version_text(properties.spec_version),
            "implementation_version": str(properties.implementation_version),
            "description": properties.description.decode(),
            "instance_extensions": extensions,
        },
    }


def driver_manifest():
    return {
        "file_format_version": "1.0.0",
        "ICD": {"library_path": f"./{DRIVER_LIBRARY}", "api_version": "1.3.0"},
    }


def main():
    folder, package_version = Path(sys.argv[1]), sys.argv[2]
    ctypes.CDLL(str(folder / DRIVER_LIBRARY))  # a missing dependency shows here, not in a test
    properties = query_layer(folder / "layer" / LAYER_LIBRARY)
    for name, manifest in (
        ("layer/VkLayer_khronos_validation.json", layer_manifest(properties)),
        ("vk_swiftshader_icd.json", driver_manifest()),
    ):
        (folder / name).write_text(json.dumps(manifest, indent=4) + "\n")
    layer_version = version_text(properties.spec_version)
    text = f"SwiftShader of chromium-common {package_version}\nvalidation layer {layer_version}\n"
    (folder / "versions.txt").write_text(text)


if __name__ == "__main__":
    main()
