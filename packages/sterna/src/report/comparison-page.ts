/** A comparison as one HTML page without any other file: table, two plots, every run. */
import { type Comparison, type MethodSummary, type Spread, summarizeMethods } from './comparison.ts'
import { escapeHtml } from './html.ts'
import { type Series, scatterPlot } from './scatter-plot.ts'
import { formatCount, formatPercent, formatSize } from './units.ts'

/** Told apart by people with any colour vision, on white and on black. */
const colours = {
  light: ['#4d4d4d', '#0072b2', '#b35900', '#00795c', '#a13d80', '#7a6200', '#5b4bb5', '#b3202c'],
  dark: ['#c0c0c0', '#5ab4f0', '#f0973c', '#3fc79e', '#e08ac2', '#d9b52e', '#a598f5', '#ff7b7b'],
} as const

export function comparisonPage(comparison: Comparison): string {
  const { model, data, protocol, engine, command, runs } = comparison
  const summaries = summarizeMethods(runs)
  const title = `${model} on ${data.name}`
  const accuracy = { title: 'test accuracy', scale: 'linear', format: percentTick } as const
  const series = (value: (run: MethodSummary['runs'][number]) => number): readonly Series[] =>
    summaries.map(({ method, runs: own }) => ({
      name: method,
      points: own.map(run => ({
        x: value(run),
        y: run.testAccuracy,
        title: `seed ${run.seed}, ${formatPercent(run.testAccuracy)}, ${formatPercent(run.zeros, 1)} zeros, ${formatCount(run.bytes)} bytes`,
      })),
    }))
  const zeros = { title: 'zeros in ternary layers', scale: 'linear', format: percentTick } as const
  const bytes = { title: 'bytes of the packed file', scale: 'logarithmic', format: formatSize } as const
  const seeds = new Set(runs.map(run => run.seed)).size
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(title)}</title>`,
    `<style>${style(summaries.length)}</style>`,
    `<h1>${escapeHtml(title)}</h1>`,
    `<p>${escapeHtml(protocol)} ${formatCount(data.testImages)} test images, computed from the packed files by ${escapeHtml(engine)}. ${seeds === 1 ? 'One seed.' : `${seeds} seeds: mean, and least to most below it.`}</p>`,
    methodTable(summaries),
    '<div class="plots">',
    figure(
      'Test accuracy against zeros',
      scatterPlot(
        'Test accuracy against zeros',
        series(run => run.zeros),
        zeros,
        accuracy,
      ),
    ),
    figure(
      'Test accuracy against bytes',
      scatterPlot(
        'Test accuracy against bytes',
        series(run => run.bytes),
        bytes,
        accuracy,
      ),
    ),
    '</div>',
    '<details><summary>Every run</summary>',
    runTable(comparison),
    '</details>',
    `<p>Data digest ${escapeHtml(data.digest)}. Repeat it:</p>`,
    `<pre>${escapeHtml(command)}</pre>`,
    '</html>',
    '',
  ].join('\n')
}

function methodTable(summaries: readonly MethodSummary[]): string {
  const cell = ({ mean, least, most }: Spread, format: (value: number) => string, isSpread: boolean) =>
    isSpread
      ? `<td>${format(mean)}<small>${format(least)} – ${format(most)}</small></td>`
      : `<td>${format(mean)}</td>`
  const row = ({ method, runs, ...of }: MethodSummary, index: number) => {
    const isSpread = runs.length > 1
    return [
      `<tr><th scope="row"><span class="dot s${index}"></span>${escapeHtml(method)}</th>`,
      cell(of.testAccuracy, value => formatPercent(value), isSpread),
      cell(of.validationAccuracy, value => formatPercent(value), isSpread),
      cell(of.zeros, value => formatPercent(value, 1), isSpread),
      cell(of.bytes, formatCount, isSpread),
      '</tr>',
    ].join('')
  }
  return table(['method', 'test', 'validation', 'zeros', 'bytes'], summaries.map(row))
}

function runTable({ runs }: Comparison): string {
  const rows = runs.map(run =>
    [
      `<tr><th scope="row">${escapeHtml(run.method)}-${run.seed}</th>`,
      `<td>${formatPercent(run.testAccuracy)}</td><td>${formatPercent(run.validationAccuracy)}</td>`,
      `<td>${formatPercent(run.zeros, 1)}</td><td>${formatCount(run.bytes)}</td><td>${run.bitsPerWeight.toFixed(2)}</td>`,
      `<td>${formatCount(run.additions)}</td><td>${formatCount(run.multiplications)}</td></tr>`,
    ].join(''),
  )
  const titles = [
    'run',
    'test',
    'validation',
    'zeros',
    'bytes',
    'bits per weight',
    'additions',
    'multiplications',
  ]
  return table(titles, rows)
}

function table(titles: readonly string[], rows: readonly string[]): string {
  const head = titles.map(title => `<th scope="col">${title}</th>`).join('')
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>`
}

function figure(caption: string, svg: string): string {
  return `<figure><figcaption>${caption}</figcaption>${svg}</figure>`
}

const percentTick = (value: number) => `${Number((100 * value).toFixed(2))} %`

function style(count: number): string {
  const palette = (list: readonly string[]) =>
    Array.from({ length: count }, (_, index) => `--s${index}:${list[index % list.length]}`).join(';')
  const series = Array.from(
    { length: count },
    (_, index) => `.s${index}{fill:var(--s${index});background:var(--s${index})}`,
  )
  return `
:root{color-scheme:light dark;--text:#1a1a1a;--soft:#5c5c5c;--line:#d9d9d9;--back:#fff;${palette(colours.light)}}
@media (prefers-color-scheme:dark){:root{--text:#ececec;--soft:#a8a8a8;--line:#3a3a3a;--back:#151515;${palette(colours.dark)}}}
body{margin:0 auto;max-width:72rem;padding:1rem;font:16px/1.5 system-ui,sans-serif;color:var(--text);background:var(--back)}
h1{font-size:1.5rem;line-height:1.25;margin:.5rem 0}
p{max-width:46rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;}
th,td{padding:.35rem .6rem;text-align:right;vertical-align:top;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child{text-align:left;padding-left:0}
thead th{color:var(--soft);font-weight:400}
@media (max-width:30rem){th,td{padding:.35rem .3rem;font-size:.875rem}.dot{margin-right:.3em}}
small{display:block;color:var(--soft);font-size:.75rem}
.dot{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin-right:.5em}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:1rem;margin:1rem 0}
figure{margin:0}
figcaption{font-weight:600;margin-bottom:.25rem}
svg{display:block;width:100%;height:auto;font:14px system-ui,sans-serif}
svg text{fill:var(--soft)}
svg text.name{fill:var(--text);font-weight:600;background:none}
circle{stroke:var(--back);stroke-width:1.5;fill-opacity:.9}
.grid{stroke:var(--line);stroke-width:1}
.axis{stroke:var(--soft);fill:none}
summary{cursor:pointer;margin:.5rem 0}
pre{overflow-x:auto;padding:.75rem;border:1px solid var(--line);border-radius:.375rem;font-size:.85rem}
${series.join('\n')}
`
}
