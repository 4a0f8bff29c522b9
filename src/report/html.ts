// A page complete in itself: no scripts, nothing fetched, every text escaped; light and dark, on screen and on paper.

import { COLOURS } from './colours.ts';
import type { Plot } from './plots/plot.ts';

/** Markup that is safe as it is; everything else goes through `escapeHtml`. */
export type Html = string & { readonly brand: 'html' };

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeHtml(text: string): Html {
  return text.replace(/[&<>"']/g, (mark) => ENTITIES[mark] as string) as Html;
}

export interface Drawn {
  readonly plot: Plot;
  readonly svg: string;
}

export function figureOf({ plot, svg }: Drawn): Html {
  // The names of clip paths are the same in every picture.
  const own = svg.replace(/(\bid="|url\(#)((?:clip|gradient)_?\d+)/g, `$1${plot.name}-$2`);
  const label = escapeHtml([`${plot.title}.`, plot.about, plot.legend ?? ''].join(' ').trim());
  return `<figure><div role="img" aria-label="${label}">${own}</div><figcaption>${escapeHtml(plot.about)}</figcaption></figure>` as Html;
}

/** Columns whose head begins with # hold figures. */
export function tableOf(caption: string, heads: readonly string[], rows: readonly (readonly string[])[]): Html {
  if (rows.length === 0) return '' as Html;
  const kind = (i: number): string => (heads[i]?.startsWith('#') ? ' class="figure"' : '');
  const head = heads.map((text, i) => `<th scope="col"${kind(i)}>${escapeHtml(text.replace(/^#/, ''))}</th>`).join('');
  const body = rows
    .map((row) => `<tr>${row.map((text, i) => `<td${kind(i)}>${escapeHtml(text)}</td>`).join('')}</tr>`)
    .join('\n');
  return `<div class="table"><table><caption>${escapeHtml(caption)}</caption><thead><tr>${head}</tr></thead><tbody>\n${body}\n</tbody></table></div>` as Html;
}

/** Lines as they would stand on a terminal. */
export function linesOf(caption: string, lines: readonly string[]): Html {
  return `<div class="table"><h2>${escapeHtml(caption)}</h2><pre>${escapeHtml(lines.join('\n'))}</pre></div>` as Html;
}

/** The few figures that matter most. */
export function tilesOf(tiles: readonly { readonly figure: string; readonly text: string }[]): Html {
  const items = tiles.map(({ figure, text }) => `<li><strong>${escapeHtml(figure)}</strong> ${escapeHtml(text)}</li>`);
  return `<ul class="tiles">${items.join('')}</ul>` as Html;
}

export function pageOf({ title, lead, parts }: { title: string; lead: string; parts: readonly Html[] }): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${STYLE}${darkPictures()}</style>
</head>
<body>
<main>
<header><h1>${escapeHtml(title)}</h1><p>${escapeHtml(lead)}</p></header>
${parts.filter((part) => part !== '').join('\n')}
</main>
</body>
</html>
`;
}

const STYLE = `
:root { --ink: #1b2127; --faint: #5c6670; --line: #dfe3e7; --paper: #ffffff; --ground: #f3f5f7; --main: #1c5d99; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
header p, figcaption { color: var(--faint); margin: .25rem 0 0; overflow-wrap: anywhere; }
.tiles { list-style: none; display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .75rem; margin: 1.5rem 0; padding: 0; }
.tiles li, figure, .table { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; }
.tiles li { padding: .75rem 1rem; color: var(--faint); }
.tiles strong { display: block; color: var(--ink); font-size: 1.5rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; padding: .75rem 1rem 1rem; overflow-x: auto; break-inside: avoid; }
figure svg { display: block; max-width: 100%; height: auto; min-width: 34rem; }
figcaption { font-size: .87rem; }
.table { margin: 1rem 0; padding: .75rem 1rem; overflow-x: auto; break-inside: avoid; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }
h2 { font-size: .9rem; font-weight: 600; margin: 0 0 .4rem; }
pre { font-family: inherit; font-size: .9rem; margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
th, td { text-align: left; padding: .3rem .75rem .3rem 0; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 500; color: var(--faint); border-top: 0; }
.figure { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ec; --faint: #a3adb7; --line: #333c45; --paper: #14191e; --ground: #0c1013; --main: #69aee8; }
}
@media print {
  body { background: #fff; font-size: 10pt; }
  main { max-width: none; padding: 0; }
  figure svg { min-width: 0; }
}
`;

/** Pictures are drawn for light paper; on a dark screen each colour gives way to its counterpart. */
function darkPictures(): string {
  const rules = COLOURS.map(
    ({ light, dark }) => `svg [fill="${light}"] { fill: ${dark}; } svg [stroke="${light}"] { stroke: ${dark}; }`,
  );
  return `@media screen and (prefers-color-scheme: dark) {\n${rules.join('\n')}\n}\n`;
}
