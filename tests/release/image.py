"""The image is what its descriptors say, holds what it should, and runs."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

import folder
import tools
from folder import HERE, made, project

ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Image(unittest.TestCase):
    def setUp(self):
        self.archive = tarfile.open(HERE / made.image_archive())
        self.addCleanup(self.archive.close)
        self.used = {"oci-layout", "index.json", "blobs", "blobs/sha256"}
        [top] = json.loads(self.read("index.json"))["manifests"]
        self.assertEqual(top["annotations"]["org.opencontainers.image.ref.name"], project.version())
        self.index = json.loads(self.blob(top))

    def read(self, name: str) -> bytes:
        return self.archive.extractfile(name).read()

    def blob(self, descriptor: dict) -> bytes:
        """A blob, which has to be what its descriptor says."""
        name = f"blobs/{descriptor['digest'].replace(':', '/')}"
        content = self.read(name)
        self.used.add(name)
        self.assertEqual((digest(content), len(content)), (descriptor["digest"], descriptor["size"]))
        return content

    def images(self):
        for descriptor in self.index["manifests"]:
            manifest = json.loads(self.blob(descriptor))
            yield descriptor["platform"], json.loads(self.blob(manifest["config"])), [self.blob(layer) for layer in manifest["layers"]]

    def test_it_is_a_layout_of_one_image_for_each_architecture(self):
        self.assertEqual(json.loads(self.read("oci-layout")), {"imageLayoutVersion": "1.0.0"})
        found = [platform["architecture"] for platform, _, _ in self.images()]
        self.assertEqual(sorted(ARCHITECTURES[name] for name in found), sorted(folder.architectures()))
        self.assertEqual(self.used, set(self.archive.getnames()), "a blob that nothing refers to")

    def test_its_config_agrees_with_its_layers(self):
        for where, config, layers in self.images():
            self.assertEqual((config["os"], config["architecture"]), (where["os"], where["architecture"]))
            self.assertEqual(config["rootfs"]["diff_ids"], [digest(gzip.decompress(layer)) for layer in layers])
            self.assertEqual(len(config["history"]), len(layers))
            self.assertEqual(config["config"]["User"], "65534:65534")

    def test_its_files_are_the_program_its_libraries_and_certificates(self):
        for where, config, layers in self.images():
            files = {}
            for layer in layers:
                with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer))) as tar:
                    for entry in tar:
                        self.assertEqual((entry.uid, entry.gid, entry.mtime), (0, 0, 0), entry.name)
                        self.assertFalse(entry.mode & 0o6022, f"{entry.name} may be written by others, or is more than it looks")
                        if entry.isfile():
                            files[entry.name] = tar.extractfile(entry).read()
            with tarfile.open(HERE / made.command_archive(ARCHITECTURES[where["architecture"]])) as tar:
                self.assertEqual(files["usr/bin/pullsafe"], tar.extractfile("pullsafe").read())
            self.assertIn("usr/lib/libc.so.6", files)
            roots = files[config["config"]["Env"][1].partition("=/")[2]].decode()
            self.assertGreater(roots.count("-----BEGIN CERTIFICATE-----"), 100)
            self.assertFalse({name for name in files if name.endswith(("/sh", "/bash", "/apt"))})

    def test_it_runs_with_its_own_libraries(self):
        for where, config, layers in self.images():
            if ARCHITECTURES[where["architecture"]] != {"aarch64": "arm64"}.get(platform.machine(), platform.machine()):
                continue
            with tempfile.TemporaryDirectory() as place:
                for layer in layers:
                    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer))) as tar:
                        tar.extractall(place, filter="data")
                # The same that the kernel does in the container: run the image's loader with the image's libraries.
                [loader] = Path(place).glob("lib*/ld-linux-*")
                program = f"{place}{config['config']['Entrypoint'][0]}"
                command = [loader, "--library-path", f"{place}/usr/lib", program, "--version"]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                self.assertEqual(done.stdout, f"pullsafe {project.version()}\n")
                listed = subprocess.run(
                    [*command[:1], "--library-path", f"{place}/usr/lib", "--list", program], capture_output=True, text=True, check=True
                )
                for line in listed.stdout.splitlines():
                    if "=>" in line:
                        self.assertIn(f"=> {place}/", line)

    def test_another_tool_reads_it(self):
        found = tools.skopeo()
        if found is None:
            print("NOT CHECKED: skopeo cannot be had here", file=sys.stderr)
            return
        program, environment = found
        everything = {**os.environ, **environment}
        archive = f"oci-archive:{HERE / made.image_archive()}:{project.version()}"
        for architecture in folder.architectures():
            name = next(oci for oci, ours in ARCHITECTURES.items() if ours == architecture)
            chosen = [*program, "--insecure-policy", "--override-arch", name]
            seen = subprocess.run([*chosen, "inspect", archive], capture_output=True, text=True, check=True, env=everything)
            self.assertEqual((json.loads(seen.stdout)["Architecture"], json.loads(seen.stdout)["Os"]), (name, "linux"))
            with tempfile.TemporaryDirectory() as place:
                # Copies everything and verifies each digest on the way.
                subprocess.run(
                    [*chosen, "copy", "--quiet", "--preserve-digests", "--all", archive, f"dir:{place}"], check=True, env=everything
                )


if __name__ == "__main__":
    print(f"{made.image_archive()}: {(HERE / made.image_archive()).stat().st_size:,} bytes", file=sys.stderr)
    unittest.main()
