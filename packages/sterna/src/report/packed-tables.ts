/** Packed networks as text. */
import type { PackReport } from '../pack/index.ts'
import type { MagnitudeRange, PackedReport } from './packed-report.ts'
import { type Column, textPairs, textTable } from './text-table.ts'
import { formatBytes, formatCount, formatPercent, formatSize, formatTimes } from './units.ts'

const left = (title: string): Column => ({ title, align: 'left' })
const right = (title: string): Column => ({ title, align: 'right' })

/** What `sterna pack` prints: the layers and what they take in the file. */
export function packTable(report: PackReport): string {
  const rows = report.layers.map(layer => [
    layer.name,
    formatShape(layer.shape),
    layer.method === 'ternary' ? 'ternary' : layer.codec,
    formatPercent(layer.zeros / layer.weights, 1),
    layer.entropyBitsPerWeight === null ? '' : layer.entropyBitsPerWeight.toFixed(3),
    ((8 * layer.bytes) / layer.weights).toFixed(2),
    formatCount(layer.bytes + layer.biasBytes),
  ])
  return textTable(
    [
      left('layer'),
      left('shape'),
      left('stored as'),
      right('zeros'),
      right('entropy'),
      right('bits/weight'),
      right('bytes'),
    ],
    rows,
    [
      ['graph, header, other', '', '', '', '', '', formatCount(report.overheadBytes)],
      ['the file', '', '', '', '', report.bitsPerWeight.toFixed(2), formatCount(report.bytes)],
    ],
  )
}

/** What `sterna inspect` prints: a summary, bytes per layer, arithmetic per layer, reasons. */
export function inspectText(report: PackedReport): string {
  const { totals } = report
  const summary = textPairs([
    ['network', report.name],
    ['file', `${formatBytes(report.bytes)}, ${formatTimes(report.ratio)} smaller than float32`],
    ['weights', `${formatCount(totals.weights)}, ${formatPercent(totals.zeros / totals.weights, 1)} zeros`],
    [
      'ternary',
      totals.ternaryWeights === 0
        ? 'no layer'
        : `${formatCount(totals.ternaryWeights)} weights, ${formatPercent(totals.ternaryZeros / totals.ternaryWeights, 1)} zeros`,
    ],
    [
      'one image',
      `${formatCount(totals.additions)} additions, ${formatCount(totals.multiplications)} multiplications`,
    ],
    ['memory', `${formatSize(totals.memoryBytes)} to run`],
    ['kernels', report.kernels === 'simd128' ? 'WebAssembly SIMD' : 'plain JavaScript (no SIMD here)'],
    ['arithmetic', `${report.arithmetic}: ${report.arithmeticReason}`],
  ])
  return [summary, storageTable(report), arithmeticTable(report), reasons(report)].join('\n\n')
}

function storageTable(report: PackedReport): string {
  const rows = report.layers.map(layer => [
    layer.name,
    formatShape(layer.shape),
    layer.method === 'ternary' ? layer.codec : layer.method,
    formatPercent(layer.zeros / layer.weights, 1),
    formatRange(layer.negative),
    formatRange(layer.positive),
    layer.entropyBitsPerWeight?.toFixed(3) ?? '',
    layer.bitsPerWeight.toFixed(3),
    formatCount(layer.bytes),
  ])
  return textTable(
    [
      left('layer'),
      left('shape'),
      left('codec'),
      right('zeros'),
      right('w_n'),
      right('w_p'),
      right('entropy bits'),
      right('bits/weight'),
      right('bytes'),
    ],
    rows,
    [
      ...report.otherParts.map(({ name, bytes }) => [name, '', '', '', '', '', '', '', formatCount(bytes)]),
      ['the file', '', '', '', '', '', '', report.totals.bitsPerWeight.toFixed(3), formatCount(report.bytes)],
    ],
  )
}

function arithmeticTable({ layers, otherSteps, totals }: PackedReport): string {
  return textTable(
    [left('layer'), left('computes'), left('kernel'), right('additions'), right('multiplications')],
    layers.map(layer => [
      layer.name,
      layer.op,
      layer.kernel,
      formatCount(layer.additions),
      formatCount(layer.multiplications),
    ]),
    [
      [
        `${otherSteps.count} other steps`,
        '',
        '',
        formatCount(otherSteps.additions),
        formatCount(otherSteps.multiplications),
      ],
      ['one image', '', '', formatCount(totals.additions), formatCount(totals.multiplications)],
    ],
  )
}

function reasons({ layers }: PackedReport): string {
  return textPairs(layers.map(layer => [`${layer.name}: ${layer.kernel}`, layer.reason]))
}

function formatShape(shape: readonly number[]): string {
  return shape.join('×')
}

function formatRange(range: MagnitudeRange | undefined): string {
  if (range === undefined) return ''
  const [min, max] = range.map(value => value.toPrecision(3))
  return min === max ? min! : `${min} … ${max}`
}

/** What `sterna quickstart` compares. */
export interface ComparisonRow {
  readonly name: string
  readonly file: string
  /** What computed the packed file's answers. */
  readonly engine: string
  readonly accuracy: number
  readonly zeros: number
  readonly bitsPerWeight: number
  readonly bytes: number
  readonly ratio: number
  readonly additions: number
  readonly multiplications: number
  readonly imageMs: number
  /** Test images on which packed and unpacked network agree. */
  readonly agreement: { readonly equal: number; readonly samples: number }
}

/** One column a network, so that it fits a narrow terminal whatever the figures. */
export function comparisonTable(rows: readonly ComparisonRow[]): string {
  const line = (title: string, value: (row: ComparisonRow) => string) => [title, ...rows.map(value)]
  return textTable(
    [left('packed network'), ...rows.map(row => right(row.name))],
    [
      line('test accuracy', row => formatPercent(row.accuracy)),
      line('zeros', row => formatPercent(row.zeros, 1)),
      line('bits per weight', row => row.bitsPerWeight.toFixed(2)),
      line('bytes', row => formatCount(row.bytes)),
      line('smaller than float32', row => formatTimes(row.ratio)),
      line('additions per image', row => formatCount(row.additions)),
      line('multiplications per image', row => formatCount(row.multiplications)),
      line('ms per image', row => row.imageMs.toFixed(3)),
      line(
        'same class as unpacked',
        row => `${formatCount(row.agreement.equal)} of ${formatCount(row.agreement.samples)}`,
      ),
    ],
  )
}
