"""How the report looks: two themes of the same names, one style sheet, no outside file."""

LIGHT = {
    "paper": "#fdfdfb",
    "panel": "#f4f4f0",
    "ink": "#1b1d1f",
    "soft": "#565b60",
    "rule": "#d9d9d2",
    "guide": "#a9abab",
    "link": "#1c5a9e",
    "generated": "#2463a8",
    "simulator": "#1d7a50",
    "round-trip": "#9a5b00",
    "floor": "#6c6f73",
    "bad": "#b3361f",
}

DARK = {
    "paper": "#15171a",
    "panel": "#1e2125",
    "ink": "#e8e8e4",
    "soft": "#a7adb3",
    "rule": "#33383d",
    "guide": "#5d646b",
    "link": "#8dbdf0",
    "generated": "#74aef0",
    "simulator": "#5fc796",
    "round-trip": "#e0a54a",
    "floor": "#9aa0a6",
    "bad": "#f08a70",
}

TEXT_COLOURS = ("ink", "soft", "link", "generated", "simulator", "round-trip", "floor", "bad")
"""What words are written in: each reads on paper and on panels of its theme (WCAG 2.2, AA)."""


def style_sheet() -> str:
    """The whole style sheet."""
    return (
        f":root{{color-scheme:light dark;{_variables(LIGHT)}}}"
        f"@media(prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}"
        f"@media print{{:root{{color-scheme:light;{_variables(LIGHT)}}}}}" + RULES
    )


def _variables(theme: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in theme.items())


RULES = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);
 font:400 16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",
 "DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums lining-nums}
main,header,footer{max-width:68rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:3rem}
footer{padding-top:2rem;padding-bottom:3rem;color:var(--soft);font-size:.875rem}
h1,h2,h3,.lede,.question{font-family:Charter,"Bitstream Charter","Iowan Old Style",
 "Palatino Linotype",Palatino,Georgia,serif}
h1{font-size:clamp(1.9rem,5vw,2.75rem);line-height:1.12;font-weight:600;letter-spacing:-.01em;
 margin:.3rem 0 .6rem}
h2{font-size:1.5rem;line-height:1.25;font-weight:600;margin:3.25rem 0 .6rem;
 padding-top:.9rem;border-top:1px solid var(--rule)}
h3{font-size:1rem;font-weight:600;margin:1.75rem 0 .5rem;font-family:inherit}
p{margin:.5rem 0 .9rem;max-width:44rem}
a{color:var(--link);text-underline-offset:.15em}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:2px solid var(--link);
 outline-offset:2px}
small,.small{font-size:.8125rem}
.soft{color:var(--soft)}
.kicker{margin:0;color:var(--soft);font-size:.875rem}
.lede{font-size:1.2rem;line-height:1.5;max-width:42rem}
.facts{display:flex;flex-wrap:wrap;gap:.25rem 1.75rem;margin:0 0 1.25rem;padding:0;
 list-style:none;color:var(--soft);font-size:.9375rem}
.facts b{color:var(--ink);font-weight:600}
nav{font-size:.9375rem;margin-top:1.25rem}
nav a{margin-right:1rem;white-space:nowrap;display:inline-block;padding:.15rem 0}

svg.plot{display:block;overflow:visible}
svg text{font-size:12px;fill:var(--soft)}
.guide{stroke:var(--guide);stroke-width:1}
.lane{stroke:var(--rule);stroke-width:1}
.bar{fill:var(--generated);opacity:.8}
.bar-bad{fill:var(--bad);opacity:.8}
.whisker{stroke:var(--ink);stroke-width:1.5}
.trip-tick{stroke:var(--round-trip);stroke-width:2.5}
.mark{stroke-width:1.5}
.mark.simulator{fill:var(--simulator)}
.mark.round_trip{fill:var(--round-trip)}
.mark.generated{fill:var(--generated)}
.mark.floor{fill:none;stroke:var(--floor);stroke-width:2.25}
.mark.end{fill:var(--ink)}
.mark.hollow{fill:var(--paper);stroke:var(--ink);stroke-width:1.6}
.whisker.simulator{stroke:var(--simulator)}
.whisker.round_trip{stroke:var(--round-trip)}
.whisker.generated{stroke:var(--generated)}
.whisker.floor{stroke:var(--floor)}
.legend{display:flex;flex-wrap:wrap;gap:.15rem 1.25rem;margin:.25rem 0 .75rem;padding:0;
 list-style:none;font-size:.8125rem;color:var(--soft)}
.legend-mark{width:16px;height:16px;vertical-align:-3px;margin-right:.3rem;overflow:visible}
.swatch{display:inline-block;width:1.6em;height:.6em;margin-right:.35rem;
 background:var(--generated);opacity:.8}
.swatch.tick{width:3px;height:1em;vertical-align:-2px;background:var(--round-trip);opacity:1}

figure{margin:1rem 0}
figcaption,caption{color:var(--soft);font-size:.875rem;text-align:left}
figcaption p,caption p{max-width:44rem}
.scores{display:grid;grid-template-columns:max-content 1fr max-content;
 column-gap:1rem;margin:0;padding:0}
.scores>div{display:contents}
.scores .who,.scores .figure{align-self:center}
.scores .who a{color:inherit;text-decoration:none}
.scores .who a:hover{text-decoration:underline}
.scores .num{display:inline-block;width:1.6em;color:var(--soft);text-align:right;
 margin-right:.6em}
.scores .figure{text-align:right}
.scores .figure small{color:var(--soft)}

.findings{padding:0;margin:0;list-style:none;max-width:50rem}
.findings li{padding:.1rem 0 .1rem .9rem;border-left:3px solid var(--rule);margin:.8rem 0}
.findings li.low{border-left-color:var(--bad)}

.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9375rem;line-height:1.35}
caption{padding:.25rem 0 .6rem;caption-side:top}
th,td{padding:.42rem .6rem;text-align:right;vertical-align:top;
 border-bottom:1px solid var(--rule)}
thead th{vertical-align:bottom;font-weight:600;font-size:.8125rem;line-height:1.25;
 border-bottom:1.5px solid var(--ink)}
thead th:first-child,tr>.name:first-child,tr>.metric:first-child,
table:not(:has(.name)) td:first-child{padding-left:0}
th:last-child,td:last-child{padding-right:0}
th.words,td.words{text-align:left}
tbody th{font-weight:600;text-align:left}
tbody th.metric{font-weight:400}
td small{display:block;color:var(--soft);white-space:nowrap;font-size:.75rem}
tbody.law tr:not(:last-child)>:not(.name){border-bottom-color:transparent;padding-bottom:.1rem}
td.score{font-weight:600}
td.score.bad,.figure .bad{color:var(--bad)}

details{border-bottom:1px solid var(--rule)}
details>summary{cursor:pointer;padding:.55rem 0}
details.split>summary{font-weight:600}
details.law>summary{display:grid;grid-template-columns:1.2rem 13rem 1fr 3.5rem;
 column-gap:.75rem;align-items:center;list-style:none}
details.law>summary::-webkit-details-marker{display:none}
details.law>summary::before{content:"";width:.45rem;height:.45rem;margin-left:.2rem;
 border-right:2px solid var(--soft);border-bottom:2px solid var(--soft);
 transform:rotate(-45deg)}
details.law[open]>summary::before{transform:rotate(45deg)}
details.law>summary .title{font-weight:600}
details.law>summary .title span{color:var(--soft);font-weight:400;margin-right:.35rem}
details.law>summary .figure{text-align:right}
.body{padding:.1rem 0 1.6rem}
.question{font-size:1.0625rem;font-style:italic;margin-top:.1rem}
.metrics{display:grid;gap:1.1rem 2rem;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr))}
.panel h4{margin:0 0 .15rem;font-size:.8125rem;font-weight:400;color:var(--soft);
 display:flex;justify-content:space-between;gap:1rem}
.panel h4 b{color:var(--ink);font-weight:600}
.lanes{display:grid;grid-template-columns:7rem 1fr 3.4rem;column-gap:.6rem;
 align-items:center;margin:0;font-size:.8125rem;line-height:18px}
.lanes dt{color:var(--soft);white-space:nowrap}
.lanes dd{margin:0}
.lanes dd.value{text-align:right}
.clips{display:grid;gap:1.25rem;grid-template-columns:repeat(auto-fill,minmax(min(15rem,100%),1fr))}
.clips figure{margin:0}
.clips img{display:block;width:100%;height:auto;border-radius:3px;background:var(--panel)}
.clips .heads{display:grid;grid-template-columns:1fr 1fr;font-size:.75rem;color:var(--soft)}
.clips figcaption{font-size:.8125rem;line-height:1.4;margin-top:.35rem}
.clips q{color:var(--ink);overflow-wrap:anywhere}
dl.protocol{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.25rem;max-width:46rem}
dl.protocol dt{font-weight:600}
dl.protocol dd{margin:0}
dl.small{font-size:.875rem}
dl.small dd{overflow-wrap:anywhere}
.charts{display:grid;gap:1.25rem 2rem;grid-template-columns:repeat(auto-fill,minmax(14rem,1fr))}
.xy{display:grid;grid-template-columns:2.4rem 1fr;column-gap:.5rem}
.charts h4{margin:0 0 .25rem;font-size:.8125rem;line-height:1.3;font-weight:600}
.charts h4 span{display:block;font-weight:400}
.trend{stroke:var(--generated);stroke-width:1.75}
.trend.dashed{stroke-dasharray:5 4}
.thread{stroke:var(--guide);stroke-width:1.25}

@media(max-width:44rem){
 header{padding-top:1.75rem}
 .lede{font-size:1.0625rem}
 .scores{display:block}
 .scores>div{display:grid;grid-template-columns:1fr max-content;padding-bottom:.3rem}
 .scores .plot-place{grid-row:2;grid-column:1/-1}
 .scores .axis-row{padding:0}
 .scores .num{width:auto;min-width:1.1em;text-align:left}
 details.law>summary{grid-template-columns:1.2rem 1fr 4rem}
 details.law>summary .plot-place{display:none}
 table.stack,table.stack tbody,table.stack tr,table.stack caption{display:block}
 table.stack thead{position:absolute;clip-path:inset(50%);height:1px;width:1px;overflow:hidden}
 table.stack tr{display:grid;grid-template-columns:repeat(4,1fr);gap:.3rem .5rem;
  padding:.5rem 0;border-bottom:1px solid var(--rule)}
 table.stack th,table.stack td{display:block;border:0;padding:0!important;text-align:left}
 table.stack th.name{grid-column:1/-1}
 table.stack th.metric{grid-column:1/-1;color:var(--soft)}
 table.stack td::before{content:attr(data-label);display:block;color:var(--soft);
  font-size:.75rem;font-weight:400}
 dl.protocol{grid-template-columns:1fr;gap:.1rem}
 dl.protocol dd{margin-bottom:.5rem}
}
@media print{
 details>:not(summary){display:block}
 nav{display:none}
 body{font-size:11pt}
}
"""
