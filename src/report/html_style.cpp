#include "report/html.h"

namespace purescope {

// Both sets of eight colours start from Okabe and Ito's and were moved until all pairs stay apart with normal vision
// and in simulations of the three colour blindnesses, with a contrast to the paper of at least 3
// (tests/report/colours_test.cpp); symbols and dashes tell series apart beside them.
const char* const kReportStyle = R"css(
:root{color-scheme:light dark;--paper:#ffffff;--ink:#1a1e23;--soft:#56606b;--line:#dde2e7;--card:#f5f7f9;--mark:#0b63a5;--strong:#ffffff;
--s0:#07669c;--s1:#f25500;--s2:#0f8d3d;--s3:#c96ca6;--s4:#7c991d;--s5:#558fe3;--s6:#16312f;--s7:#8d1c0e}
@media (prefers-color-scheme:dark){:root{--paper:#13171c;--ink:#e8ebee;--soft:#a3adb8;--line:#323a43;--card:#1c2229;--mark:#6db8f2;--strong:#0c0f12;
--s0:#5c81d5;--s1:#e48c29;--s2:#26cb7a;--s3:#d4a3b7;--s4:#ffed48;--s5:#9fc2ff;--s6:#e3ffe2;--s7:#c03d2c}}
@media print{:root{color-scheme:light;--paper:#ffffff;--ink:#000000;--soft:#444444;--line:#cccccc;--card:#ffffff;--mark:#000000;--strong:#ffffff;
--s0:#07669c;--s1:#f25500;--s2:#0f8d3d;--s3:#c96ca6;--s4:#7c991d;--s5:#558fe3;--s6:#16312f;--s7:#8d1c0e}
figure,tr,.finding{break-inside:avoid}h2,h3{break-after:avoid}details:not([open]){display:none}.scroll{overflow:visible}table{font-size:8pt}nav{display:none}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:74rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.7rem;line-height:1.2;margin:.2rem 0 .3rem}
h2{font-size:1.35rem;line-height:1.25;margin:0 0 .4rem}
h3{font-size:1rem;margin:1.6rem 0 .4rem}
h1,h2,h3,p,li,figcaption,dd{overflow-wrap:anywhere}
p{margin:.4rem 0}
a{color:var(--mark)}
.lead{color:var(--soft);max-width:60rem}
.note{color:var(--soft);font-size:.875rem}
section{border-top:1px solid var(--line);margin-top:2.2rem;padding-top:1.6rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1rem 1.2rem;margin:1.2rem 0}
.card>:first-child{margin-top:0}
ul.findings{margin:.4rem 0;padding-left:1.2rem}
ul.findings li{margin:.25rem 0}
.partial{border-left:4px solid var(--s1);padding:.3rem .8rem;margin:.6rem 0;background:var(--card)}
dl{display:grid;grid-template-columns:minmax(6rem,max-content) minmax(0,1fr);gap:.15rem 1rem;margin:.4rem 0;font-size:.875rem}
@media (max-width:40rem){dl{grid-template-columns:7rem minmax(0,1fr)}}
dt{color:var(--soft)}
dd{margin:0}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr));gap:1.6rem 2.4rem;margin:1.2rem 0}
figure{margin:0;min-width:0}
figure.wide{grid-column:1/-1}
figcaption{font-weight:600;margin-bottom:.35rem}
svg.plot{display:block;width:100%;max-width:38rem;height:auto}
svg text{font-size:13px;fill:var(--soft)}
svg text.a{fill:var(--ink)}
svg text.k,svg text.v{fill:var(--ink);font-size:12px}
svg text.w{fill:var(--strong);font-size:12px}
svg text.q{fill:currentColor;font-size:11px}
.s0{color:var(--s0)}.s1{color:var(--s1)}.s2{color:var(--s2)}.s3{color:var(--s3)}.s4{color:var(--s4)}.s5{color:var(--s5)}.s6{color:var(--s6)}.s7{color:var(--s7)}
.l,.r{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}
.r{stroke-width:1.2;stroke-linecap:round}
.d{stroke-dasharray:7 4;stroke-width:1.7}.d2{stroke-dasharray:10 3}.d3{stroke-dasharray:4 2}
.p{stroke-dasharray:2 3;stroke-width:1.7}
.b{fill:currentColor;fill-opacity:.16;stroke:none}
.e{fill:none;stroke:currentColor;stroke-width:1.3}
.m,.f{fill:currentColor}
.m{stroke:var(--paper);stroke-width:.8}
.o{fill:currentColor;fill-opacity:.28;stroke:currentColor;stroke-width:1.2}
.u{fill:currentColor;fill-opacity:.55;stroke:currentColor;stroke-width:1}
.h{fill:var(--paper);stroke:currentColor;stroke-width:1.5}
rect.u+.e,rect.o+.e{stroke:var(--ink)}
.n{fill:none;stroke:var(--line);stroke-dasharray:2 2}
line.g{stroke:var(--line)}
line.t,line.x{stroke:var(--soft)}
ul.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;margin:.2rem 0 .4rem;padding:0;font-size:.875rem}
ul.legend li{display:flex;align-items:center;gap:.4rem;min-width:0}
svg.key{flex:none}
em{font-style:normal;color:var(--soft);font-size:.85em}
img{display:block;max-width:none;image-rendering:pixelated}
.scroll{overflow-x:auto;max-width:100%;-webkit-overflow-scrolling:touch}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .9rem .3rem 0;text-align:right;vertical-align:top;white-space:nowrap;border-bottom:1px solid var(--line)}
th{font-weight:600;vertical-align:bottom;white-space:normal;min-width:4rem}
th.words,td.words{text-align:left;white-space:normal}
td.words.long{min-width:15rem}
td small{color:var(--soft);font-size:.92em}
td.papers{color:var(--soft)}
details{margin:.4rem 0;font-size:.875rem}
summary{cursor:pointer;color:var(--soft)}
pre{margin:.4rem 0;padding:.6rem .8rem;background:var(--card);border:1px solid var(--line);border-radius:6px;font:13px/1.45 ui-monospace,"DejaVu Sans Mono",monospace;white-space:pre-wrap;overflow-wrap:anywhere}
nav ul{columns:16rem;padding-left:1.2rem;margin:.4rem 0}
)css";

}  // namespace purescope
