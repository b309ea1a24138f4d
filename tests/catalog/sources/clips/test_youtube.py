"""Videos through real yt-dlp: a scripted extractor answers for the site, a loopback host for its files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import pytest
from support.loopback import Loopback
from support.places import SUPPORT
from support.recordings import coded
from support.remotes import (
    Site,
    children,
    fetched,
    nothing_left,
    options,
    sound_format,
    told,
    tone_file,
    video_file,
    wanted,
)
from triptych.catalog.sources.clips import options as remote_options
from triptych.catalog.sources.clips.options import require_ytdlp
from triptych.catalog.sources.clips.stage import fetch_remote
from triptych.catalog.sources.clips.ytdlp_errors import reason_of, summary
from triptych.errors import UsageError
from yt_dlp.networking.exceptions import IncompleteRead, TransportError
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError, UnsupportedError, UserNotLive


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    tone_file(folder / "tone.m4a", seconds=6)
    video_file(folder / "mute.mp4", seconds=6)
    coded(folder / "original.webm", "webm", "libopus")
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "plugins")


def video(name: str, url: str, start_s: float | None = 1, end_s: float | None = 3, kind: str = "audio") -> Any:
    return wanted(name, url, start_s, end_s, site="youtube", kind=kind)


def length(path: Path) -> float:
    with av.open(str(path)) as container:
        return float(container.duration) / 1_000_000


def test_a_table_of_videos_is_fetched_with_a_reason_for_each_failure(host: Loopback, site: Site, spool: Path) -> None:
    tone = sound_format(host.url("/tone.m4a"))
    mute = [{"format_id": "18", "url": host.url("/mute.mp4"), "ext": "mp4", "acodec": "none"}]
    host.fault("/busy", status=429)
    script: dict[str, tuple[str, dict[str, Any]]] = {
        "-dashfirst0": ("ok", {"formats": tone, "duration": 6}),
        "--dashdash0": ("ok", {"formats": tone}),
        "removed0000": ("dead", {"error": "Video unavailable. This video has been removed by the uploader"}),
        "private0000": ("private", {"error": "Private video. Sign in if you've been granted access to this video"}),
        "country0000": ("geo_blocked", {"geo": True}),
        "adults00000": ("age_restricted", {"error": "Sign in to confirm your age. This video may be inappropriate"}),
        "members0000": ("members_only", {"error": "Join this channel to get access to members-only content"}),
        "onair000000": ("live", {"formats": tone, "live_status": "is_live"}),
        "justended00": ("live", {"formats": tone, "live_status": "post_live"}),
        "brief000000": ("too_short", {"formats": tone, "duration": 0.5}),
        "rented00000": ("members_only", {"instead": "--dashdash0"}),
        "albums00000": ("not_media", {"entries": ["https://www.youtube.com/watch?v=-dashfirst0"] * 2}),
        "mute0000000": ("no_audio", {"formats": mute}),
        "gone0000000": ("dead", {"page": host.url("/none")}),
        "stale000000": ("extractor_failed", {"formats": sound_format(host.url("/stale.m4a"))}),
        "last0000000": ("ok", {"formats": tone}),
    }
    items = [video(name, site.answer(name, **act)) for name, (_, act) in script.items()]
    with nothing_left(spool, kept=3):
        found = fetched(items, spool, options(plugin_dirs=(site.plugins,)))
    assert told(found) == [reason for reason, _ in script.values()]
    for item in (found[0], found[1], found[-1]):
        assert length(item.media[0][1].path) == pytest.approx(2, abs=0.05)
        assert item.fields["extra"] == {"cut": "copy"}
    assert found[2].candidate == "clips/train/removed0000"
    assert found[2].detail.endswith("This video has been removed by the uploader")
    assert found[2].uri == "https://www.youtube.com/watch?v=removed0000"


def test_segments_of_one_video_are_requested_and_fetched_once(host: Loopback, site: Site, spool: Path) -> None:
    url = site.answer("segments000", formats=sound_format(host.url("/tone.m4a")))
    gone = site.answer("removed0000", error="Video unavailable")
    items = [video(f"s{n}", url, n * 0.5, n * 0.5 + 1) for n in range(5)] + [video(f"g{n}", gone) for n in range(3)]
    found = fetched(items, spool, options(plugin_dirs=(site.plugins,)))
    assert told(found) == ["ok"] * 5 + ["dead"] * 3
    assert sorted(site.asked()) == ["removed0000", "segments000"]
    assert len(host.seen("/tone.m4a", "GET")) == 1


def test_a_part_or_a_dub_is_not_taken_for_the_whole_original(
    host: Loopback, clips: Path, site: Site, spool: Path, tmp_path: Path
) -> None:
    [tone] = sound_format(host.url("/tone.m4a"))
    original = {**tone, "url": host.url("/original.webm"), "ext": "webm", "format_id": "251"}
    in_pieces = {**tone, "url": host.url("/list.m3u8"), "protocol": "m3u8_native"}
    split_without_its_second_piece(clips, coded(tmp_path / "long.aac", "adts", "aac"))
    dub, japanese = ({"language": code, "language_preference": n} for code, n in (("en", -1), ("ja", 10)))

    partly = site.answer("cutshort000", formats=[tone], duration=60)
    items = [video("a", partly, 1, 3), video("b", partly, 8, 10), video("c", partly, 4, 9), video("d", partly, 1, None)]
    items += [video("e", site.answer("pieces00000", formats=[in_pieces]), 5, 7)]
    items += [
        video("f", site.answer("dubbed00000", formats=[tone | dub, original | japanese])),
        video("g", site.answer("unlabelled0", formats=[tone, original | japanese])),
        video("h", site.answer("onlydub0000", formats=[tone | dub])),
    ]
    picture = {"format_id": "135", "url": host.url("/mute.mp4"), "ext": "mp4", "acodec": "none", "height": 480}
    tall = {"format_id": "37", "url": host.url("/tall.mp4"), "ext": "mp4", "height": 1080} | japanese
    items += [video("i", site.answer("talldubbed0", formats=[picture, tall, tone | dub]), kind="video")]
    found = fetched(items, spool, options(plugin_dirs=(site.plugins,)))
    assert told(found) == ["ok", *["incomplete"] * 3, "extractor_failed", "ok", "ok", "ok", "extractor_failed"]
    assert found[1].detail == "6.0 s arrived of a video that lasts 60 s"
    assert "HTTP Error 404: Not Found. Giving up after 4 retries" in found[4].detail
    assert found[-1].detail == "no format of its size has the original sound"
    assert [len(host.seen(path, "GET")) for path in ("/original.webm", "/tone.m4a")] == [2, 2]


def split_without_its_second_piece(folder: Path, recording: Path) -> None:
    data = recording.read_bytes()
    third = len(data) // 3
    for number in (0, 2):
        (folder / f"piece{number}.aac").write_bytes(data[number * third : (number + 1) * third])
    lines = [line for number in range(3) for line in ("#EXTINF:2.7,", f"piece{number}.aac")]
    (folder / "list.m3u8").write_text("\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:3", *lines, "#EXT-X-ENDLIST"]))


def test_separate_video_and_audio_streams_are_joined(host: Loopback, site: Site, spool: Path) -> None:
    picture = {"format_id": "135", "url": host.url("/mute.mp4"), "ext": "mp4", "acodec": "none", "height": 480}
    url = site.answer("apart000000", formats=[picture, *sound_format(host.url("/tone.m4a"))])
    given = options(plugin_dirs=(site.plugins,), sound_required=True)
    with nothing_left(spool, kept=1):
        [item] = fetched([video("a", url, 2, 4, "video")], spool, given)
    with av.open(str(item.media[0][1].path)) as container:
        assert (len(container.streams.video), len(container.streams.audio)) == (1, 1)
        assert float(container.duration) / 1_000_000 == pytest.approx(2, abs=0.25)


def test_a_video_that_hangs_is_killed_and_the_others_are_fetched(host: Loopback, site: Site, spool: Path) -> None:
    tone = sound_format(host.url("/tone.m4a"))
    items = [
        video("a", site.answer("fine0000000", formats=tone)),
        video("b", site.answer("hangs000000", hang=True)),
        video("c", site.answer("fine0000001", formats=tone)),
    ]
    with nothing_left(spool, kept=2):
        found = fetched(items, spool, options(plugin_dirs=(site.plugins,), timeout_s=3.0))
    assert told(found) == ["ok", "timeout", "ok"]


def test_a_refusal_that_ends_costs_nothing_but_a_pause(host: Loopback, site: Site, spool: Path) -> None:
    tone = sound_format(host.url("/tone.m4a"))
    items = [video("a", site.answer("walled00000", formats=tone, walls=2))]
    items += [video("b", site.answer("fine0000000", formats=tone))]
    notices: list[str] = []
    found = fetched(items, spool, options(plugin_dirs=(site.plugins,), jobs=1), notice=notices.append)
    assert told(found) == ["ok", "ok"]
    assert site.asked().count("walled00000") == 3
    assert notices[0].startswith("YouTube: bot_wall; all jobs pause")


@pytest.mark.parametrize("refusal", ["bot_wall", "rate_limited"])
def test_a_refusal_that_lasts_ends_the_requests(refusal: str, host: Loopback, site: Site, spool: Path) -> None:
    host.fault("/busy", status=429)
    act = {"walls": 99} if refusal == "bot_wall" else {"page": host.url("/busy")}
    items = [video(str(n), site.answer(f"walled0000{n}", **act)) for n in range(8)]
    notices: list[str] = []
    given = options(plugin_dirs=(site.plugins,), jobs=1, max_refusals=3)
    with nothing_left(spool):
        found = fetched(items, spool, given, notice=notices.append)
    assert told(found) == [refusal]  # one clip three times; clips never requested are not yielded
    assert len(site.asked()) == 3
    assert "no more requests to it in this run" in notices[-1]


def test_the_cookie_file_is_read_and_never_modified(host: Loopback, site: Site, spool: Path, tmp_path: Path) -> None:
    cookies = tmp_path / "cookies.txt"
    cookies.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t4102444800\twho\tme\n")
    before = cookies.read_bytes()
    url = site.answer("cookies0000", page=host.url("/tone.m4a"), formats=sound_format(host.url("/tone.m4a")))
    with nothing_left(spool, kept=1):
        found = fetched([video("a", url)], spool, options(plugin_dirs=(site.plugins,), cookies=cookies))
    assert told(found) == ["ok"]
    assert "who=me" in host.requests[0].headers["cookie"]
    assert cookies.read_bytes() == before


def test_without_ytdlp_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch, spool: Path) -> None:
    monkeypatch.setattr(remote_options, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        require_ytdlp()
    assert caught.value.hint == "pip install 'triptych[youtube]'"
    with nothing_left(spool), pytest.raises(UsageError):
        next(fetch_remote([video("a", "https://www.youtube.com/watch?v=a")], options(), dataset="c", spool=spool))


RUN = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from support.remotes import options, wanted
from triptych.catalog.sources.clips.stage import fetch_remote
item = wanted("a", sys.argv[2], 0, 1, site="youtube")
list(fetch_remote([item], options(plugin_dirs=(Path(sys.argv[3]),)), dataset="clips", spool=Path(sys.argv[4])))
"""


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_pull_ends_its_processes(blow: signal.Signals, site: Site, spool: Path) -> None:
    url = site.answer("hangs000000", hang=True)
    arguments = [str(SUPPORT.parent), url, str(site.plugins), str(spool)]
    pull = subprocess.Popen([sys.executable, "-c", RUN, *arguments], stderr=subprocess.PIPE)
    try:
        wait_for(lambda: site.asked() == ["hangs000000"])
        workers = grandchildren(pull.pid)
        assert workers
        begun = time.monotonic()
        pull.send_signal(blow)
        pull.wait(timeout=10)
        wait_for(lambda: not any(is_alive(worker) for worker in workers))
        assert time.monotonic() - begun < 3
    finally:
        pull.kill()
        pull.communicate()
    if blow == signal.SIGINT:
        assert [path for path in spool.parent.rglob("*") if path.is_file()] == []
    else:
        assert fetched([], spool) == []  # the next run sweeps
        assert list(spool.parent.glob("clips/*")) == []


def wait_for(happens: Any, seconds: float = 15.0) -> None:
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.05)


def grandchildren(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found


def is_alive(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_no_process_of_these_tests_is_left() -> None:
    assert all(os.getpgid(child) == os.getpgid(0) for child in children())


LOGIN = "Use --cookies-from-browser or --cookies for the authentication."


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (f"Sign in to confirm you’re not a bot. {LOGIN}", "bot_wall"),
        ("Sign in to confirm you're not a bot.", "bot_wall"),
        ("Video unavailable. YouTube is requiring a captcha challenge before playback", "bot_wall"),
        ("This content isn't available, try again later. The current session has been rate-limited", "rate_limited"),
        ("Unable to download API page: HTTP Error 429: Too Many Requests", "rate_limited"),
        (f"Private video. Sign in if you've been granted access to this video. {LOGIN}", "private"),
        ("Video unavailable. This video is private", "private"),
        (f"Sign in to confirm your age. This video may be inappropriate for some users. {LOGIN}", "age_restricted"),
        ("The uploader has not made this video available in your country", "geo_blocked"),
        ("Join this channel to get access to members-only content like this video", "members_only"),
        ("This video is available to this channel's members on level: Gold", "members_only"),
        ("This video requires payment to watch", "members_only"),
        ("This video is DRM protected", "members_only"),
        ("Video unavailable", "dead"),
        ("Video unavailable. This video is no longer available due to a copyright claim by X", "dead"),
        ("This video has been removed for violating YouTube's Terms of Service", "dead"),
        ("Video unavailable. The YouTube account associated with this video has been terminated", "dead"),
        ("Premieres in 3 hours", "live"),
        ("This live event will begin in 2 days", "live"),
        ("This live stream recording is not available.", "live"),
        ("Unable to extract player version", "extractor_failed"),
        ("Playback on other websites has been disabled by the video owner", "extractor_failed"),
    ],
)
def test_messages_of_the_site_map_to_the_right_reason(message: str, reason: str) -> None:
    inner = ExtractorError(message, expected=True, video_id="x", ie="youtube")
    outer = DownloadError(f"ERROR: {inner}", (type(inner), inner, None))
    assert reason_of(outer) == reason


def test_types_of_errors_map_to_the_right_reason() -> None:
    assert reason_of(GeoRestrictedError("no")) == "geo_blocked"
    assert reason_of(UserNotLive()) == "live"
    assert reason_of(UnsupportedError("http://x/")) == "not_media"
    refused = ExtractorError("Unable to download webpage", cause=TransportError("Connection refused"))
    assert reason_of(DownloadError("ERROR: x", (type(refused), refused, None))) == "network"
    assert reason_of(TransportError("Read timed out.")) == "timeout"
    assert reason_of(IncompleteRead(5, 10)) == "network"


def test_the_event_log_keeps_one_line_without_advice() -> None:
    text = "ERROR: [youtube] x: Unable to extract\nplayer; please report this issue on  https://github.com/ and so on"
    assert summary(DownloadError(text)) == "[youtube] x: Unable to extract player"
