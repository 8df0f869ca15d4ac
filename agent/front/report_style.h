// How the page of a report looks: light and dark as the reader's system is, on paper without
// colours of the ground, and down to 320 pixels without scrolling sideways. Every pair of colours
// has a contrast of 4.5 or more. [WCAG 2.2, 1.4.3]
#pragma once

namespace nolapse {

inline constexpr const char* report_style = R"css(
:root{color-scheme:light dark;--ground:#fff;--card:#f4f6f8;--text:#1b1f24;--dim:#4d5761;
--line:#c9d1d9;--fine:#116329;--bad:#a3001b;--odd:#704400;--link:#0550ae;--bar:#54aeff;
--old:#a7c7e7}
@media(prefers-color-scheme:dark){:root{--ground:#12161b;--card:#1c2229;--text:#e6e9ec;
--dim:#a9b4bf;--line:#3a444f;--fine:#5fd38d;--bad:#ff9492;--odd:#f2c14e;--link:#79c0ff;
--bar:#3f8fd8;--old:#2c4f70}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);font:16px/1.5 system-ui,sans-serif;
overflow-wrap:break-word}
header,main{max-width:75rem;margin:0 auto;padding:.5rem 1rem}
h1{font-size:1.3rem;margin:.5rem 0}h2{font-size:1.2rem;margin:2rem 0 .5rem;
border-bottom:1px solid var(--line)}h3{font-size:1rem;margin:0}
a{color:var(--link)}
a:focus-visible,summary:focus-visible,[tabindex]:focus-visible{outline:3px solid var(--link);
outline-offset:2px}
main:focus{outline:none}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:.5rem;background:var(--ground);
padding:.5rem;z-index:1}
.verdict{font-size:1.25rem;font-weight:600;margin:.5rem 0;padding:.6rem .8rem;
background:var(--card);border-left:6px solid var(--dim)}
.verdict.fine{border-color:var(--fine)}.verdict.attention{border-color:var(--bad)}
.verdict.unknown{border-color:var(--odd)}
.meta,small{color:var(--dim);font-size:.875rem;margin:.25rem 0}
small{display:block;font-weight:400}
nav ul,.legend{display:flex;flex-wrap:wrap;gap:.25rem 1rem;list-style:none;padding:0;margin:.5rem 0}
nav a{display:inline-block;padding:.25rem 0}
.badge{display:inline-block;font-size:.8125rem;font-weight:600;padding:0 .5rem;
border:1px solid;border-radius:1rem;white-space:nowrap;color:var(--dim)}
.badge.fine{color:var(--fine)}.badge.attention{color:var(--bad)}.badge.unknown{color:var(--odd)}
.card{background:var(--card);border-left:4px solid var(--odd);padding:.5rem .8rem;margin:.5rem 0}
.card.attention{border-color:var(--bad)}.card p{margin:.25rem 0}
code{font:.875em/1.4 ui-monospace,monospace}
.fix{margin:.25rem 0}.fix code{background:var(--ground);border:1px solid var(--line);
padding:.1rem .4rem;display:inline-block}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9375rem}
caption{text-align:left;color:var(--dim);font-size:.875rem;padding:.25rem 0}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem .35rem 0;
border-bottom:1px solid var(--line)}
thead th{white-space:nowrap}
time{white-space:nowrap}
figure{margin:0}figure .scroll>svg{display:block;min-width:44rem;width:100%;height:auto}
.legend{font-size:.875rem;color:var(--dim)}.legend li{display:flex;align-items:center;gap:.35rem}
details{border-bottom:1px solid var(--line);padding:.35rem 0}
summary{cursor:pointer;font-weight:600}
.story li,.card p,.findings li,code,tbody th{overflow-wrap:anywhere}
.story,.findings{padding-left:1.2rem}.story li,.findings li{margin:.3rem 0}
.story .failed strong,.story .expiring strong,.story .revoked strong,.story .rolled_back strong,
.story .not_told strong{color:var(--bad)}
.story .renewed strong,.story .deployed strong,.story .resolved strong{color:var(--fine)}
svg text{font:12px system-ui,sans-serif;fill:var(--text)}
svg .axis{fill:var(--dim);font-size:11px}svg .bad,svg .now-label{fill:var(--bad);font-weight:600}
svg .grid{stroke:var(--line)}svg .now{stroke:var(--bad);stroke-width:1.5;stroke-dasharray:5 3}
svg .bar{fill:var(--bar)}svg .old{fill:var(--old)}
svg .threshold{stroke:var(--odd);stroke-width:2}
svg .planned{fill:none;stroke:var(--text);stroke-width:1.5}
svg .renewed{fill:var(--fine);stroke:var(--ground)}
svg .failed path,svg .failing{stroke:var(--bad);stroke-width:2.2;fill:none}
@media(max-width:48rem){.wide{display:none}table{font-size:.875rem}th,td{padding-right:.4rem}}
@media(max-width:30rem){thead{position:absolute;left:-99rem}
tr{display:block;padding:.5rem 0;border-bottom:1px solid var(--line)}
tbody th,tbody td{display:inline-block;border:0;padding:0 .6rem 0 0}tbody th{display:block}
#certificates td:nth-child(n+3)::before{color:var(--dim)}
#certificates td:nth-child(3)::before{content:"serving "}
#certificates td:nth-child(4)::before{content:"renewal "}
#certificates td:nth-child(5)::before{content:"expires "}
#certificates td:nth-child(6)::before{content:"renews "}
#alerts td:nth-child(4)::before{content:"delivered "}
#watched td:nth-child(4)::before{content:"expires "}
.story{padding-left:1rem}}
@media print{:root{--ground:#fff;--card:#fff;--text:#000;--dim:#333;--line:#999;--fine:#0b4a1d;
--bad:#900018;--odd:#5a3600;--link:#000}
body{font-size:13px}
nav,.skip{display:none}.wide{display:table-cell}.scroll{overflow:visible}
table{font-size:.8125rem}th,td{padding-right:.4rem}.badge{padding:0 .3rem}
time{white-space:normal}thead th,.badge{white-space:normal}
figure .scroll>svg{min-width:0}
article,tr,li{break-inside:avoid}h2{break-after:avoid}
details::details-content{content-visibility:visible;height:auto}}
)css";

}  // namespace nolapse
