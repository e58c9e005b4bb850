"""The images: made from a seed, the same each time.

A folder of images has `blobs/<hex>` and a list `images.txt`, see light/store.rs.
"""

import hashlib
import json
import random
import zlib

from place import IMAGES

OCI = "application/vnd.oci.image."
MB = 1_000_000

# The same images, with one byte of an image's content changed.
CORRUPT = IMAGES / "corrupt"
# The same images with one tag of N moved on.
CHANGED = IMAGES / "changed"
# M as a Docker Official Image: at Docker Hub, and at Amazon ECR Public under its name there.
HUB = IMAGES / "hub"
ECR_PUBLIC = IMAGES / "ecr-public"
# ECR Public before it has caught up: it holds another image.
ECR_PUBLIC_BEHIND = IMAGES / "ecr-public-behind"


def many(number):
    return f"many/n{number // 20}"


def tags(image):
    """Repository and tag of everything that belongs to S, M, L, U or N."""
    names = {"S": [("small/s", "1")], "M": [("middle/m", "1")], "L": [("large/l", "1")], "U": [("usual/u", "1")]}
    names["N"] = [(many(number), str(number)) for number in range(60)]
    return names[image]


def digests(folder, image):
    """What every tag of an image means, by repository and tag."""
    lines = (line.split() for line in (folder / "images.txt").read_text().splitlines())
    known = {(line[1], line[2]): line[3] for line in lines if line[0] == "M"}
    return {name: known[name] for name in tags(image)}


def layers(image):
    """The digests of what a single image's manifest refers to."""
    ((repository, _),) = tags(image)
    lines = (line.split() for line in (IMAGES / "images.txt").read_text().splitlines())
    return [line[2] for line in lines if line[:2] == ["B", repository]]


class Maker:
    def __init__(self):
        (IMAGES / "blobs").mkdir(parents=True, exist_ok=True)
        self.lines = []

    def blob(self, content):
        digest = hashlib.sha256(content).hexdigest()
        path = IMAGES / "blobs" / digest
        if not path.exists():
            path.write_bytes(content)
        return f"sha256:{digest}", len(content)

    def layer(self, seed, size):
        """A gzip stream of bytes that do not compress, made in pieces: a layer can be large. Were it only called so, some tools
        would compress it on the way."""
        note = IMAGES / f"layer-{seed}-{size}.txt"
        if not note.exists():
            source, hashed, packed = random.Random(seed), hashlib.sha256(), zlib.compressobj(0, wbits=31)
            part = IMAGES / "part"
            with part.open("wb") as file:
                left = size
                while left:
                    piece = packed.compress(source.randbytes(min(left, 4 << 20)))
                    left -= min(left, 4 << 20)
                    piece += b"" if left else packed.flush()
                    hashed.update(piece)
                    file.write(piece)
            note.write_text(f"sha256:{hashed.hexdigest()} {part.stat().st_size}")
            part.rename(IMAGES / "blobs" / hashed.hexdigest())
        digest, size = note.read_text().split()
        return digest, int(size)

    def manifest(self, repository, document, media_type, tag=None):
        digest, size = self.blob(json.dumps(document, indent=2).encode())
        self.lines.append(f"M {repository} {tag or digest} {digest} {media_type}")
        return {"mediaType": media_type, "digest": digest, "size": size}

    def held(self, repository, media_type, blob):
        self.lines.append(f"B {repository} {blob[0]} {blob[1]}")
        return {"mediaType": media_type, "digest": blob[0], "size": blob[1]}

    def image(self, repository, architecture, layers, tag=None, system="linux", kind=OCI + "layer.v1.tar+gzip"):
        ids = {"type": "layers", "diff_ids": [digest for digest, _ in layers]}
        config = json.dumps({"architecture": architecture, "os": system, "config": {}, "rootfs": ids}).encode()
        document = {
            "schemaVersion": 2,
            "mediaType": OCI + "manifest.v1+json",
            "config": self.held(repository, OCI + "config.v1+json", self.blob(config)),
            "layers": [self.held(repository, kind, layer) for layer in layers],
        }
        made = self.manifest(repository, document, OCI + "manifest.v1+json", tag)
        return {**made, "platform": {"architecture": architecture, "os": system}}

    def index(self, repository, tag, children):
        document = {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": children}
        self.manifest(repository, document, OCI + "index.v1+json", tag)

    def attested(self, repository, child):
        statement = self.blob(json.dumps({"subject": child["digest"]}).encode())
        made = self.image(repository, "unknown", [statement], system="unknown", kind="application/vnd.in-toto+json")
        return {**made, "annotations": {"vnd.docker.reference.digest": child["digest"]}}

    def small(self, repository):
        self.image(repository, "amd64", [self.layer(n, size * MB) for n, size in enumerate([20, 8, 2])], "1")

    def middle(self, repository):
        children = []
        for number, architecture in enumerate(["amd64", "arm64"]):
            sizes = [29 * MB, 12 * MB, 4_500_000]
            children.append(self.image(repository, architecture, [self.layer(f"m{number}{n}", size) for n, size in enumerate(sizes)]))
        self.index(repository, "1", children + [self.attested(repository, child) for child in children])

    def large(self, repository):
        self.image(repository, "amd64", [self.layer(f"l{size}", size * MB) for size in [320, 120, 60]], "1")

    def usual(self, repository):
        self.image(repository, "amd64", [self.layer(f"u{size}", size * MB) for size in [80, 40, 24, 12, 4]], "1")

    def sixty(self, changed):
        for number in range(60):
            repository, children = many(number), []
            for architecture in ["amd64", "arm64"]:
                seed = f"n{number}{architecture}{'x' if changed and number == 31 else ''}"
                layers = [self.layer(f"base{architecture}", 5 * MB), self.layer(seed, 100_000)]
                children.append(self.image(repository, architecture, layers))
            self.index(repository, str(number), children)


def make_images():
    def everything(maker):
        maker.small("small/s")
        maker.middle("middle/m")
        maker.large("large/l")
        maker.usual("usual/u")
        maker.sixty(changed=False)

    write(IMAGES, everything)
    write(CHANGED, lambda maker: maker.sixty(changed=True))
    write(HUB, lambda maker: maker.middle("library/m"))
    write(ECR_PUBLIC, lambda maker: maker.middle("docker/library/m"))
    write(ECR_PUBLIC_BEHIND, lambda maker: maker.small("docker/library/m"))
    make_corrupt()


def write(folder, make):
    maker = Maker()
    make(maker)
    folder.mkdir(exist_ok=True)
    (folder / "images.txt").write_text("\n".join(dict.fromkeys(maker.lines)) + "\n")
    link = folder / "blobs"
    if folder != IMAGES:
        # The link is created anew, because the whole folder may have been moved.
        link.unlink(missing_ok=True)
        link.symlink_to(IMAGES / "blobs")


def make_corrupt():
    """S with another last byte in its largest layer."""
    (CORRUPT / "blobs").mkdir(parents=True, exist_ok=True)
    lines = [line for line in (IMAGES / "images.txt").read_text().splitlines() if line.split()[1] == "small/s"]
    (CORRUPT / "images.txt").write_text("\n".join(lines) + "\n")
    blobs = [(int(line.split()[3]), line.split()[2]) for line in lines if line.startswith("B ")]
    manifests = [(0, line.split()[3]) for line in lines if line.startswith("M ")]
    largest = max(blobs)[1]
    for _, digest in blobs + manifests:
        name = digest.removeprefix("sha256:")
        content = bytearray((IMAGES / "blobs" / name).read_bytes())
        if digest == largest:
            content[-1] ^= 1
        (CORRUPT / "blobs" / name).write_bytes(content)
