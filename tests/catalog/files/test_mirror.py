"""A mirror stands in for the original hosts, and no path leaves it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.loopback import Loopback, serve
from support.places import DATA
from triptych.catalog.files.mirror import LISTING_BYTES, Mirror, mirror_key
from triptych.catalog.sources.download.http import HttpClient, NotFound
from triptych.catalog.sources.download.retry import Retry
from triptych.errors import UsageError

SHARED = DATA / "mirror"
SUM = "ab" * 32
FILES = (
    "www.x.org/12/a.tar.gz",
    "hub.co/d/all/test/0000.parquet",
    "hub.co/d/all/test/0001.parquet",
    "hub.co/d/b [1].txt",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "mirror"
    for name in FILES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    lines = "\n".join(f"  {name}: {hashlib.sha256(name.encode()).hexdigest()}" for name in FILES)
    (root / "mirror.yaml").write_text(f"about: small files\nsubset: true\nsha256:\n{lines}\n")
    (tmp_path / "secret").write_text("secret")
    return root


@pytest.fixture
def server(folder: Path) -> Iterator[Loopback]:
    with serve(folder) as running:
        yield running


@pytest.fixture
def client() -> Iterator[HttpClient]:
    with HttpClient(retry=Retry(attempts=2, base=0.001)) as one:
        yield one


def test_a_folder_answers_for_the_original_host(folder: Path) -> None:
    mirror = Mirror.open(folder)
    located = mirror.locate("https://www.x.org/12/a.tar.gz")
    assert isinstance(located, Path) and located.read_bytes() == b"www.x.org/12/a.tar.gz"
    assert mirror.locate("http://WWW.X.org/12/.//a.tar.gz?download=true") == located
    assert isinstance(mirror.locate("https://hub.co/d/b%20%5B1%5D.txt"), Path)
    assert (mirror.about, mirror.subset, mirror.name) == ("small files", True, str(folder))
    assert mirror.sha256("https://www.x.org/12/a.tar.gz") == hashlib.sha256(b"www.x.org/12/a.tar.gz").hexdigest()
    assert mirror.sha256("https://www.x.org/12/b.tar.gz") is None
    assert mirror.has("https://www.x.org/12/a.tar.gz") and not mirror.has("https://www.x.org/12/b.tar.gz")


def test_a_base_url_answers_for_the_original_host(server: Loopback, client: HttpClient) -> None:
    mirror = Mirror.open(server.url("/"), client=client)
    for name in FILES:
        located = mirror.locate(f"https://{name}")
        assert isinstance(located, str) and located.startswith(server.url("/"))
        assert client.read(located) == name.encode()
    assert mirror.subset and mirror.sha256(f"https://{FILES[0]}") == hashlib.sha256(FILES[0].encode()).hexdigest()


def test_a_base_url_below_a_path_works(folder: Path, client: HttpClient) -> None:
    with serve(folder.parent) as server:
        mirror = Mirror.open(server.url("/mirror"), client=client)
        assert client.read(str(mirror.locate(f"https://{FILES[0]}"))) == FILES[0].encode()


@pytest.mark.parametrize("kind", ["folder", "url"])
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("https://hub.co/d/all/test/*.parquet", FILES[1:3]),
        ("hub.co/d/all/*/000[1-9].parquet", FILES[2:3]),
        ("hub.co/d/all/*/000[!1].parquet", FILES[1:2]),
        ("hub.co/d/all/test/000?.parquet", FILES[1:3]),
        ("hub.co/d/*.parquet", ()),
        ("hub.co/**/*.parquet", FILES[1:3]),
        ("hub.co/**", (*FILES[1:3], FILES[3])),
        ("www.x.org/12/a.tar.gz", FILES[:1]),
        ("nobody.org/*", ()),
    ],
)
def test_globs_expand_alike_from_a_folder_and_from_a_listing(
    folder: Path, server: Loopback, client: HttpClient, kind: str, pattern: str, expected: tuple[str, ...]
) -> None:
    mirror = Mirror.open(folder if kind == "folder" else server.url(), client=client)
    assert mirror.glob(pattern) == sorted(f"https://{name}" for name in expected)


def test_a_base_url_without_a_listing_has_no_sums_and_no_globs(
    folder: Path, server: Loopback, client: HttpClient
) -> None:
    (folder / "mirror.yaml").unlink()
    mirror = Mirror.open(server.url(), client=client)
    assert mirror.sums == {} and not mirror.subset
    with pytest.raises(UsageError, match=r"mirror\.yaml"):
        mirror.glob("hub.co/*")


@pytest.mark.parametrize(
    "url",
    [
        "https://www.x.org/../secret",
        "https://www.x.org/12/../../../secret",
        "https://www.x.org/%2e%2e/%2e%2e/secret",
        "https://www.x.org/%252e%252e/secret",
        "https://www.x.org/..%2fsecret",
        "https://www.x.org/..%5csecret",
        "https://www.x.org/a\\..\\secret",
        "https://www.x.org/%2fetc/passwd",
        "https://www.x.org/a%00b",
        "https://../secret",
        "https:///etc/passwd",
        "https://user:word@www.x.org/a",
        "file:///etc/passwd",
        "/etc/passwd",
        "../secret",
        "",
    ],
)
def test_paths_that_would_leave_the_mirror_are_refused(folder: Path, url: str) -> None:
    mirror = Mirror.open(folder)
    for method in (mirror.locate, mirror.sha256, mirror.has, mirror.glob):
        with pytest.raises(UsageError):
            method(url)
    with pytest.raises(UsageError):
        mirror_key(url)


def test_a_link_out_of_the_mirror_is_refused(folder: Path) -> None:
    (folder / "www.x.org/out").symlink_to(folder.parent / "secret")
    (folder / "www.x.org/up").symlink_to(folder.parent)
    (folder / "www.x.org/in").symlink_to(folder / FILES[0])
    mirror = Mirror.open(folder)
    for name in ("out", "up/secret"):
        with pytest.raises(UsageError, match="link leads out"):
            mirror.locate(f"https://www.x.org/{name}")
    assert isinstance(mirror.locate("https://www.x.org/in"), Path)
    assert mirror.glob("www.x.org/*") == ["https://www.x.org/in"]


def test_a_missing_file_is_not_found_and_a_missing_folder_is_wrong_usage(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"https://www\.x\.org/none"):
        Mirror.open(folder).locate("https://www.x.org/none")
    with pytest.raises(NotFound, match="query"):
        Mirror.open(folder).locate("https://www.x.org/uc?id=7")
    with pytest.raises(UsageError, match="no such folder") as caught:
        Mirror.open(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in caught.value.message and caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- a\n", "expected keys"),
        ("sha256: [a]\n", "must map"),
        (f"sha256: {{www.x.org/a: {SUM}00}}\n", "64 hexadecimal"),
        ("sha256: {www.x.org/a: 7}\n", "64 hexadecimal"),
        (f"sha256: {{www.x.org/../a: {SUM}}}\n", "contains '..'"),
        ("subset: perhaps\n", "true or false"),
        ("colour: red\n", "unknown key 'colour'"),
        ("about: &a x\nsubset: *a\n", "aliases"),
        ("about: !!python/object/apply:os.system [ls]\n", "python/object"),
        ("about: [", "mirror.yaml"),
        ("about: \x00", "mirror.yaml"),
    ],
)
def test_a_malformed_listing_is_refused_by_name(folder: Path, text: str, complaint: str) -> None:
    (folder / "mirror.yaml").write_text(text)
    with pytest.raises(UsageError) as caught:
        Mirror.open(folder)
    assert complaint in caught.value.message


def test_a_huge_listing_is_refused(folder: Path, server: Loopback, client: HttpClient) -> None:
    (folder / "mirror.yaml").write_bytes(b"#" * (LISTING_BYTES + 1))
    with pytest.raises(UsageError, match="larger than"):
        Mirror.open(folder)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real media under ../shared/data")
def test_the_sums_of_the_real_mirror_hold() -> None:
    mirror = Mirror.open(SHARED)
    archives = mirror.glob("www.openslr.org/resources/12/*.tar.gz")
    assert len(archives) == 4 and mirror.subset
    for url in archives:
        located = mirror.locate(url)
        assert isinstance(located, Path)
        assert hashlib.sha256(located.read_bytes()).hexdigest() == mirror.sha256(url)
    assert len(mirror.glob("huggingface.co/datasets/openslr/librispeech_asr/resolve/main/all/test.*/*.parquet")) == 2
