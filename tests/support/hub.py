"""A hub on 127.0.0.1 that speaks the read API of dataset and model repositories, for the real client libraries.

    with hub(folder) as server:          # folder/<owner>/<name>/<file> ...
        os.environ["HF_ENDPOINT"] = server.url()
        server.gate("owner/name", token="hf_x")

Answers `GET /api/datasets/<repo>[/revision/<rev>]`, `.../tree/<rev>[/<folder>]`, and `HEAD` and `GET` of
`/datasets/<repo>/resolve/<rev>/<file>` with ranges; for models the same without `datasets/` (`/api/models/<repo>`).
Any revision of 40 hex digits, and `main`, is the folder as it is,
until `advance` moves `main` on to a further commit, whose files lie in `folder/<owner>/<name>@<commit>`.
Files of a gated repository need its token; its listing does not, as on the real hub.

It takes pushes, too: a repository is made, and a commit puts its files into the folder and deletes those that it names.
With `writer` set, only this token may push. Files of more than `lfs_above` bytes are uploaded as large ones, by the LFS
protocol: in one piece, or in parts of `lfs_parts` bytes; those of more than `lfs_limit` bytes are refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from support.loopback import Loopback, Seen, _Handler

COMMIT = "71cacbfb7e2354c4226d01e70d77d5fca3d04ba1"
_API = re.compile(
    r"/api/(?:datasets|models)/(?P<repo>[^/]+/[^/]+)(?:/(?P<what>revision|tree)/(?P<revision>[^/]+)(?P<rest>/.*)?)?"
)
_PREUPLOAD = re.compile(r"/api/datasets/(?P<repo>[^/]+/[^/]+)/preupload/(?P<revision>[^/]+)")
_COMMIT_TO = re.compile(r"/api/datasets/(?P<repo>[^/]+/[^/]+)/commit/(?P<revision>[^/]+)")
_BATCH = re.compile(r"/datasets/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch")
_BLOB = re.compile(r"/blobs/(?P<oid>[0-9a-f]{64})(?:/(?P<part>\d+))?")
_FILE = re.compile(r"(?:/datasets)?/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")


@dataclass
class Hub(Loopback):
    """A running hub; faults and records as in `Loopback`, by the path asked for."""

    gates: dict[str, str] = field(default_factory=dict)
    tags: dict[str, list[str]] = field(default_factory=dict)
    heads: dict[str, str] = field(default_factory=dict)
    writer: str | None = None
    lfs_above: float = float("inf")
    lfs_parts: int | None = None
    lfs_limit: float = float("inf")
    blobs: dict[str, bytes] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)

    def advance(self, repo: str, commit: str) -> Path:
        """From now on `main` is this commit; the folder of its files."""
        self.heads[repo] = commit
        return self.folder / f"{repo}@{commit}"

    def commit_of(self, repo: str, revision: str) -> str:
        return self.heads.get(repo, COMMIT) if revision == "main" else revision

    def root(self, repo: str, revision: str) -> Path:
        """Where the files of a repository lie at a revision."""
        later = self.folder / f"{repo}@{self.commit_of(repo, revision)}"
        return later if later.is_dir() else self.folder / repo

    def gate(self, repo: str, *, token: str) -> None:
        self.gates[repo] = token


@contextmanager
def hub(folder: Path) -> Iterator[Hub]:
    """Serve the repositories of a folder until the block ends."""
    running = Hub(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_HubHandler,), {"loopback": running}))
    server.daemon_threads = True
    server.block_on_close = False
    running.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


class _HubHandler(_Handler):
    loopback: Hub

    def _serve(self, path: str, faults: list[Any], *, body: bool) -> None:
        path = unquote(path)
        if match := _API.fullmatch(path):
            self._answer_api(match, body=body)
        elif match := _FILE.fullmatch(path):
            self._answer_file(match, faults, body=body)
        else:
            self._head(404, {"Content-Length": "0"})

    def _answer_api(self, match: re.Match[str], *, body: bool) -> None:
        repo, revision = match["repo"], match["revision"] or "main"
        root = self.loopback.root(repo, revision)
        if not root.is_dir():
            self._refuse_with(401, "RepoNotFound")
        elif not _is_known(revision):
            self._refuse_with(404, "RevisionNotFound")
        elif match["what"] == "tree":
            self._answer_json(
                [_entry(path, root) for path in _files(root / (match["rest"] or "").strip("/"))], body=body
            )
        else:
            blobs = "blobs=" in urlsplit(self.path).query
            siblings = [_sibling(path, root, blobs=blobs) for path in _files(root)]
            gated = "manual" if repo in self.loopback.gates else False
            commit = self.loopback.commit_of(repo, revision)
            document = {"id": repo, "sha": commit, "private": False, "gated": gated, "siblings": siblings}
            document["tags"] = self.loopback.tags.get(repo, [])
            self._answer_json(document, body=body)

    def _answer_file(self, match: re.Match[str], faults: list[Any], *, body: bool) -> None:
        token = self.loopback.gates.get(match["repo"])
        if token is not None and self.headers.get("Authorization") != f"Bearer {token}":
            self._refuse_with(401 if "Authorization" not in self.headers else 403, "GatedRepo")
            return
        if not _is_known(match["revision"]):
            self._refuse_with(404, "RevisionNotFound")
            return
        root = self.loopback.root(match["repo"], match["revision"])
        if not (root / match["file"]).is_file():
            self._refuse_with(404, "EntryNotFound")
        else:
            inside = (root / match["file"]).relative_to(self.loopback.folder).as_posix()
            super()._serve(f"/{quote(inside)}", faults, body=body)

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._record = Seen("POST", path, {name.lower(): value for name, value in self.headers.items()})
        self.loopback.requests.append(self._record)
        writer = self.loopback.writer
        if match := _BLOB.fullmatch(path):  # the end of an upload in parts, whose address is all that it needs
            parts = [
                self.loopback.blobs.pop(f"{match['oid']}/{each['partNumber']}") for each in json.loads(data)["parts"]
            ]
            self.loopback.blobs[match["oid"]] = b"".join(parts)
            self._answer_json({}, body=True)
        elif writer is not None and self.headers.get("Authorization") != f"Bearer {writer}":
            self._refuse_with(401 if "Authorization" not in self.headers else 403, "GatedRepo")
        elif path == "/api/validate-yaml":
            self._answer_json({"errors": [], "warnings": []}, body=True)
        elif path == "/api/repos/create":
            self._create(json.loads(data))
        elif match := _PREUPLOAD.fullmatch(path):
            files = [{"path": each["path"], "shouldIgnore": False,
                      "uploadMode": "lfs" if each["size"] > self.loopback.lfs_above else "regular"}
                     for each in json.loads(data)["files"]]  # fmt: skip
            self._answer_json({"files": files}, body=True)
        elif _BATCH.fullmatch(path):
            self._answer_json({"objects": [self._large(**each) for each in json.loads(data)["objects"]]}, body=True)
        elif match := _COMMIT_TO.fullmatch(path):
            self._commit(match["repo"], [json.loads(line) for line in data.splitlines() if line.strip()])
        else:
            self._head(404, {"Content-Length": "0"})

    def do_PUT(self) -> None:
        path = urlsplit(self.path).path
        self._record = Seen("PUT", path, {name.lower(): value for name, value in self.headers.items()})
        self.loopback.requests.append(self._record)
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if any(fault.status for fault in self.loopback.faults.get(path.rpartition("/")[0], ())):
            self._head(403, {"Content-Length": "0"})
            return
        self.loopback.blobs[path.removeprefix("/blobs/")] = data
        self._head(200, {"Content-Length": "0", "ETag": hashlib.md5(data, usedforsecurity=False).hexdigest()})

    def _large(self, oid: str, size: int) -> dict[str, Any]:
        """Where a large file goes, as the LFS protocol says it."""
        if size > self.loopback.lfs_limit:
            return {"oid": oid, "size": size, "error": {"code": 422, "message": "the file is too large"}}
        place, step = self.loopback.url(f"/blobs/{oid}"), self.loopback.lfs_parts
        header = {}
        if step is not None:
            header = {str(n + 1): f"{place}/{n + 1}" for n in range(-(-size // step))} | {"chunk_size": str(step)}
        return {"oid": oid, "size": size, "actions": {"upload": {"href": place, "header": header}}}

    def _create(self, asked: dict[str, Any]) -> None:
        repo = "/".join(part for part in (asked.get("organization"), asked["name"]) if part)
        root = self.loopback.root(repo, "main")
        status = 409 if root.is_dir() else 200
        if status == 200:
            root.mkdir(parents=True)
            self.loopback.private[repo] = asked.get("visibility") == "private"
        self._answer_json({"url": self.loopback.url(f"/datasets/{repo}")}, body=True, status=status)

    def _commit(self, repo: str, operations: list[dict[str, Any]]) -> None:
        root = self.loopback.root(repo, "main")
        for operation in operations:
            value = operation["value"]
            if operation["key"] == "file":
                (root / value["path"]).parent.mkdir(parents=True, exist_ok=True)
                (root / value["path"]).write_bytes(base64.b64decode(value["content"]))
            elif operation["key"] == "lfsFile":
                (root / value["path"]).parent.mkdir(parents=True, exist_ok=True)
                (root / value["path"]).write_bytes(self.loopback.blobs[value["oid"]])
            elif operation["key"] == "deletedFile":
                (root / value["path"]).unlink()
        url = self.loopback.url(f"/datasets/{repo}/commit/{COMMIT}")
        self._answer_json({"success": True, "commitOid": COMMIT, "commitUrl": url}, body=True)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        super()._head(status, {"X-Repo-Commit": COMMIT, **headers})

    def _refuse_with(self, status: int, code: str) -> None:
        self._head(status, {"X-Error-Code": code, "X-Error-Message": code, "Content-Length": "0"})

    def _answer_json(self, document: Any, *, body: bool, status: int = 200) -> None:
        data = json.dumps(document).encode()
        self._head(status, {"Content-Type": "application/json", "Content-Length": str(len(data))})
        if body:
            self._send(data, [], announced=len(data))


def _is_known(revision: str) -> bool:
    return revision == "main" or re.fullmatch(r"[0-9a-f]{40}", revision) is not None


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sibling(path: Path, root: Path, *, blobs: bool) -> dict[str, Any]:
    """A file, with its metadata for those who ask for blobs."""
    if not blobs:
        return {"rfilename": path.relative_to(root).as_posix()}
    size, sha256 = path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()
    return {"rfilename": path.relative_to(root).as_posix(), "size": size,
            "lfs": {"sha256": sha256, "size": size, "pointerSize": 134}}  # fmt: skip


def _entry(path: Path, root: Path) -> dict[str, Any]:
    oid = hashlib.sha1(path.name.encode(), usedforsecurity=False).hexdigest()
    return {"type": "file", "path": path.relative_to(root).as_posix(), "size": path.stat().st_size, "oid": oid}
