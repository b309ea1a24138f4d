"""Pulls of tables of links, end to end, and where a table may not lead."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from support.cliptables import pull_from, write_card, write_table
from support.loopback import Loopback, serve
from support.places import ROOT
from support.stores import one, select
from triptych.catalog.pull.pull import PullResult
from triptych.catalog.registry import lint
from triptych.catalog.sources.clips.failures import REASONS, ClipError
from triptych.catalog.sources.clips.network_guard import Guard
from triptych.errors import NetworkError


class Links:
    """The dataset `links`: a table whose column `url` names files anywhere."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = ["name,url,start,end,caption"]
        write_card(folder / "cards", "links", kind="urls", site="link", id="{name}", url="{url}")

    def link(self, name: str, url: str, start: object = "", end: object = "") -> None:
        self.rows.append(f"{name},{url},{start},{end},the caption of {name}")
        write_table(self.folder / "mirror", "links", self.rows)

    def pull(self, root: Path, **remote: Any) -> PullResult:
        return pull_from(self.folder, root, "links", selection=None, samples=None, **remote)

    def reasons(self, root: Path) -> dict[str, str]:
        rows = select(root, "select candidate, reason from events order by time")
        return {row["candidate"].rsplit("/", 1)[-1]: row["reason"] for row in rows}


@pytest.fixture
def links(tmp_path: Path) -> Links:
    return Links(tmp_path)


def test_a_table_of_links_comes_in_with_a_reason_for_each_that_does_not(
    links: Links, host: Loopback, root: Path, media: Path
) -> None:
    host.fault("/later", status=429, retry_after="0", times=2)
    host.fault("/later", content=(media / "talk.mp4").read_bytes())
    host.fault("/down", status=503, retry_after="0")
    host.fault("/page", html=True)
    links.link("whole", host.url("/talk.mp4"))
    links.link("span", host.url("/talk.mp4"), 2, 4)
    links.link("none", host.url("/none.mp4"))
    links.link("page", host.url("/page"))
    links.link("later", host.url("/later"), 1, 3)
    links.link("down", host.url("/down"))
    links.link("mute", host.url("/mute.mp4"))
    done = links.pull(root)
    assert (done.source, done.stored) == ("urls", 3)
    assert links.reasons(root) == {"none": "dead", "page": "not_media", "down": "network", "mute": "no_audio"}
    rows = {row["id"]: row for row in select(root, "select id, video, extra, source from samples")}
    whole, span = rows["links/train/whole"], rows["links/train/span"]
    assert whole["video"]["sha256"] == hashlib.sha256((media / "talk.mp4").read_bytes()).hexdigest()
    assert (whole["extra"]["cut"], span["extra"]["cut"]) == ("whole", "copy")
    assert (span["extra"]["clip_start_s"], span["extra"]["clip_end_s"]) == ("2.0", "4.0")
    assert span["video"]["duration"] == pytest.approx(2, abs=0.1)
    assert len(host.seen("/talk.mp4", "GET")) == 1

    host.clear()
    assert links.pull(root).account.rejected == {"dead": 2, "no_audio": 1, "not_media": 1}
    assert {seen.path for seen in host.requests} == {"/down"}
    host.clear()
    assert links.pull(root).source is None
    assert host.requests == []


def test_a_host_that_lets_nothing_through_does_not_keep_the_others_waiting(
    links: Links, host: Loopback, root: Path, media: Path
) -> None:
    with serve(media) as walled:
        for n in range(12):
            walled.fault(f"/{n}", status=429, retry_after="0")
            links.link(f"w{n}", walled.url(f"/{n}"))
        links.link("a", host.url("/talk.mp4"))
        links.link("b", host.url("/talk.mp4"), 1, 2)
        done = links.pull(root, jobs=1, max_refusals=3)
        assert (done.stored, done.complete, done.wall) == (2, False, "")
        assert done.account.rejected == {"rate_limited": 1}
        assert {seen.path for seen in walled.requests} == {"/0"}
        walled.clear()
        assert links.pull(root).account.rejected == {"dead": 12}


def test_a_host_out_of_reach_ends_the_pull(links: Links, root: Path) -> None:
    for n in range(60):
        links.link(str(n), f"http://127.0.0.1:9/{n}.mp4")
    with pytest.raises(NetworkError, match=r"127\.0\.0\.1:9: network: none of \d+ candidates was stored"):
        links.pull(root, max_refusals=2, timeout_s=2.0)
    assert 1 < one(root, "select count(*) from events where reason = 'network'") <= 8


def test_a_hostile_table_leads_nowhere(links: Links, host: Loopback, root: Path) -> None:
    host.fault("/metadata", redirect="http://169.254.169.254/latest/meta-data/")
    hostile = {
        "file": "file:///etc/passwd", "ftp": "ftp://127.0.0.1/x.mp4", "script": "javascript:alert(1)",
        "bare": "/etc/passwd", "spaces": "http://127.0.0.1/a b.mp4", "bracket": "http://[::1/x.mp4",
        "port": "http://127.0.0.1:99999/x.mp4", "word": "http://127.0.0.1:port/x.mp4", "nohost": "http:///x.mp4",
        "label": f"http://{'a' * 80}.org/x.mp4", "dots": "http://a..org/x.mp4", "control": "http://127.0.0.1/\x07",
    }  # fmt: skip
    for name, url in hostile.items():
        links.link(name, url)
    links.link("metadata", "http://169.254.169.254/latest/meta-data/")
    links.link("redirected", host.url("/metadata"))
    host.fault("/odd", redirect="http://[::1/x.mp4")
    links.link("odd", host.url("/odd"))
    links.link("fine", host.url("/talk.mp4"))
    done = links.pull(root)
    assert done.stored == 1
    rows = select(root, "select reason, detail from events")
    assert sorted(row["reason"] for row in rows) == ["bad_value"] * 12 + ["not_media"] + ["private_address"] * 2
    assert all("169.254.169.254" in row["detail"] for row in rows if row["reason"] == "private_address")


def test_a_table_leads_into_our_own_network_only_where_the_user_or_the_card_says_so(
    links: Links, host: Loopback, root: Path, tmp_path: Path
) -> None:
    links.link("a", host.url("/talk.mp4"))
    links.link("b", host.url("/talk.mp4").replace("127.0.0.1", "localhost"))
    done = links.pull(root, private_hosts=False)
    assert (done.stored, done.account.rejected) == (0, {"private_address": 2})
    assert host.requests == []
    assert links.pull(root, private_hosts=True).source is None
    assert links.pull(root, private_hosts=True, retry=frozenset({"private_address"})).stored == 2
    host.requests.clear()
    write_card(tmp_path / "cards", "named", kind="urls", site="link", id="{name}", url=host.url("/{name}.mp4"))
    write_table(tmp_path / "mirror", "named", ["name,start,end,caption", "talk,1,2,said"])
    named = pull_from(tmp_path, root, "named", selection=None, samples=None, private_hosts=False)
    assert named.stored == 1


def test_a_card_of_clips_says_where_they_lie(tmp_path: Path) -> None:
    write_card(tmp_path, "links", kind="urls", site="link", id="{name}", url="{url}")
    card = (tmp_path / "links.yaml").read_text()
    (tmp_path / "links.yaml").write_text(re.sub("        remote: .*", "        media: {video: '{name}.mp4'}", card))
    [problems] = lint([tmp_path / "links.yaml"], extra=()).values()
    assert len(problems) == 1
    assert "a `urls` source needs the reader option `remote`" in problems[0]


def test_every_reason_is_documented() -> None:
    text = (ROOT / "docs/how-to/clips.md").read_text(encoding="utf-8")
    assert [name for name in REASONS if f"`{name}`" not in text] == []


@pytest.mark.parametrize(
    ("address", "by_default", "with_private_hosts"),
    [
        ("93.184.215.14", True, True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True, True),
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("10.1.2.3", False, True),
        ("192.168.1.5", False, True),
        ("100.64.0.1", False, True),
        ("fd12:3456::1", False, True),
        ("::ffff:10.0.0.1", False, True),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("2002:a9fe:a9fe::1", False, False),
        ("169.254.169.254", False, False),
        ("fe80::1%eth0", False, False),
        ("fd00:ec2::254", False, False),
        ("0.0.0.0", False, False),
        ("224.0.0.1", False, False),
    ],
)
def test_connections_are_judged_by_their_address(address: str, by_default: bool, with_private_hosts: bool) -> None:
    for private_hosts, expected in ((False, by_default), (True, with_private_hosts)):
        guard = Guard(trusted_hosts=(), private_hosts=private_hosts, proxy=None)
        assert is_allowed(guard, address) == expected


def test_a_trusted_host_and_the_proxy_may_be_reached() -> None:
    guard = Guard(trusted_hosts=("192.168.1.5",), private_hosts=False, proxy="http://10.0.0.9:3128")
    assert [is_allowed(guard, each) for each in ("192.168.1.5", "10.0.0.9", "192.168.1.6")] == [True, True, False]


@pytest.mark.parametrize("value", ["localhost", "127.0.0.1", "10.0.0.5", "*", "127.0.0.1,10.0.0.0/8,localhost"])
def test_hosts_without_a_proxy_are_not_trusted_for_it(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, value)
    guard = Guard(trusted_hosts=(), private_hosts=False, proxy=None)
    assert not any(is_allowed(guard, each) for each in ("127.0.0.1", "10.0.0.5", "::1"))


def test_a_proxy_on_this_machine_opens_its_port_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:3128")
    guard = Guard(trusted_hosts=(), private_hosts=False, proxy=None)
    assert [is_allowed(guard, "127.0.0.1", port) for port in (3128, 22, 8080)] == [True, False, False]


def is_allowed(guard: Guard, address: str, port: int | None = None) -> bool:
    try:
        guard.check(address, port)
    except ClipError as error:
        assert error.reason == "private_address"
        return False
    return True
