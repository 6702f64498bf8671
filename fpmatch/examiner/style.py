"""How the page looks: on a telephone, on a screen, on paper."""

from __future__ import annotations

STYLE = """
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:#111;background:#fff;
max-width:76rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.2;margin:.4rem 0}
h2{font-size:1.25rem;margin:2.2rem 0 .4rem;padding-top:.6rem;border-top:2px solid #111}
h3{font-size:1.05rem;margin:1.6rem 0 .3rem}h4{font-size:1rem;margin:1rem 0 .2rem}
p{margin:.4rem 0}.claim{border-left:5px solid #d55e00;background:#fdf3ec;padding:.6rem .9rem;
margin:.8rem 0}.note{color:#444;font-size:.92rem}
dl{display:grid;grid-template-columns:minmax(8rem,14rem) 1fr;gap:.15rem 1rem;margin:.6rem 0}
dt{color:#444}dd{margin:0;font-variant-numeric:tabular-nums}
.table{overflow-x:auto}table{border-collapse:collapse;margin:.6rem 0;min-width:20rem}
th,td{padding:.3rem .8rem .3rem 0;text-align:left;vertical-align:top;border-bottom:1px solid #ccc;
font-variant-numeric:tabular-nums}thead th{border-bottom:2px solid #111}
.table{overflow-wrap:normal}td.n,th.n{text-align:right;white-space:nowrap}
td.name{overflow-wrap:anywhere;min-width:7rem}
.pair{display:grid;grid-template-columns:1fr;gap:1rem;margin:.6rem 0}
figure{margin:0}figure img{width:100%;height:auto;display:block}
.yes{color:#005c40;font-weight:600}.no{color:#a33a00;font-weight:600}
details{margin:.4rem 0}summary{cursor:pointer}
pre{font-size:.75rem;white-space:pre-wrap;overflow-wrap:anywhere;background:#f4f4f4;padding:.6rem}
@media(min-width:56rem){.pair{grid-template-columns:1fr 1fr}}
@media(max-width:30rem){.fingers{display:none}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.4rem}}
@page{margin:14mm}
@media print{body{font-size:10.5pt;padding:0;max-width:none}.pair{grid-template-columns:1fr 1fr}
h2,h3,h4{break-after:avoid}figure,tr,dl,.claim{break-inside:avoid}.whole{break-inside:avoid}
pre{font-size:6.5pt}}
"""
