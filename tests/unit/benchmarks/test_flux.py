"""What Flux's controller is given: the same objects, and an archive that it accepts."""

import hashlib
import io
import tarfile
from urllib.request import urlopen

import yaml

from benchmarks.flux.artifact import archive, serving, source_status
from benchmarks.flux.subjects import KUSTOMIZATIONS, PLANS, objects
from execloop.library.manifests.wanted.parameters import Parameters


def test_the_archive_holds_the_objects() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive(objects()))) as tar:
        file = tar.extractfile("objects.yaml")
        assert file is not None
        assert list(yaml.safe_load_all(file)) == objects()


def test_the_same_objects_make_the_same_archive() -> None:
    assert archive(objects()) == archive(objects())


def test_the_status_names_the_digest_and_the_address_of_the_archive() -> None:
    artifact = source_status(b"content", "http://127.0.0.1:1")["artifact"]
    assert artifact["digest"] == f"sha256:{hashlib.sha256(b'content').hexdigest()}"
    assert artifact["url"] == "http://127.0.0.1:1/objects.tar.gz"


def test_the_server_serves_the_archive() -> None:
    with serving(b"content") as address, urlopen(f"{address}/objects.tar.gz") as answer:
        assert answer.read() == b"content"


def test_a_plan_has_the_objects_that_a_kustomization_makes_with_its_prefix() -> None:
    plan, kustomization = PLANS.make("k-1", "10m"), KUSTOMIZATIONS.make("k-1", "10m")
    prefix = kustomization["spec"]["namePrefix"]
    wanted = Parameters.model_validate(plan["spec"]["parameters"]).objects
    assert [each["metadata"]["name"] for each in wanted] == [
        f"{prefix}{each['metadata']['name']}" for each in objects()
    ]
    assert plan["spec"]["interval"] == kustomization["spec"]["interval"]
