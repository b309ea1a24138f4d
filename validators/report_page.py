"""The look of the report: its style sheet, and its charts as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

STYLE = """
:root{color-scheme:light;--ink:#1d2430;--soft:#5d6878;--line:#e3e7ed;--keep:#3f8f68;--warn:#d99a2b;--reject:#c2453d}
*{box-sizing:border-box}
body{margin:0;background:#f6f7f9;color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 20px 80px}
h1{font-size:26px;margin:0}h2{font-size:19px;margin:0 0 12px}
header p{margin:4px 0 20px;color:var(--soft)}
section{background:#fff;border:1px solid var(--line);border-radius:10px;padding:20px 22px}
section{margin:0 0 18px;overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{padding:7px 10px;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);font-weight:400}
thead th{color:var(--soft);font-size:13px}
tfoot th,tfoot td{font-weight:600;border-bottom:0}
td{font-variant-numeric:tabular-nums}
tr.reject td:nth-child(2){color:var(--reject);font-weight:600}
tr.warn td:nth-child(2){color:#946410;font-weight:600}
tr.ok td:nth-child(2){color:var(--keep)}
code{font:13px ui-monospace,SFMono-Regular,Menlo,monospace;overflow-wrap:anywhere}
a{color:#24589f}
.why{color:var(--soft);width:55%}.ids{font-size:13px;overflow-wrap:anywhere}
details{margin-top:4px}summary{cursor:pointer;color:#24589f}
ul{margin:6px 0;padding-left:18px}li{margin:3px 0;overflow-wrap:anywhere}
svg{display:block;max-width:100%;height:auto}
svg text{fill:var(--soft);font:11px system-ui,sans-serif}
.chart{margin:0 0 14px}.note{margin:0;color:var(--soft);font-size:13px}
tbody th{white-space:nowrap}
@media print{body{background:#fff}section{break-inside:avoid}}
"""


def number(value: int) -> str:
    """A count with its thousands apart."""
    return f"{value:,}"


def share_bar(keep: int, warn: int, reject: int) -> str:
    """Three shares as one bar."""
    total = keep + warn + reject
    if not total:
        return ""
    x, parts = 0.0, []
    for name, count in (("keep", keep), ("warn", warn), ("reject", reject)):
        width = 120 * count / total
        parts.append(f"<rect x={x:.2f} y=4 width={width:.2f} height=12 fill='var(--{name})'/>")
        x += width
    label = f"{keep / total:.0%} keep, {warn / total:.0%} warn, {reject / total:.0%} reject"
    return f"<svg width=120 height=20 role=img aria-label='{label}'><title>{label}</title>{''.join(parts)}</svg>"


def histogram(counts: Sequence[int], edges: Sequence[float], *, label: str) -> str:
    """Samples by class of length; the classes are drawn equally wide and the last one is open."""
    wide, high, bottom = 52, 110, 130
    most = max(counts)
    parts = []
    for place, count in enumerate(counts):
        x, height = place * wide, high * count / most
        last = place + 1 == len(edges)
        title = f"{edges[place]:g} s and longer" if last else f"{edges[place]:g} to {edges[place + 1]:g} s"
        parts.append(
            f"<g><title>{title}: {count:,}</title>"
            f"<rect x={x + 3} y={bottom - height:.1f} width={wide - 6} height={height:.1f} rx=2 fill='#6b8fc4'/>"
            + (
                f"<text x={x + wide / 2} y={bottom - height - 4:.1f} text-anchor=middle>{count:,}</text>"
                if count
                else ""
            )
            + f"<text x={x + 3} y={bottom + 14}>{edges[place]:g}{'+' if last else ''}</text></g>"
        )
    width = wide * len(counts)
    return (
        "<p class=note>Samples by length in seconds</p>"
        f"<svg class=chart viewBox='0 0 {width} 150' width={width} height=150 role=img"
        f" aria-label='{escape(label, quote=True)}'><line x1=0 x2={width} y1={bottom} y2={bottom} stroke='#c9d0da'/>"
        f"{''.join(parts)}</svg>"
    )
