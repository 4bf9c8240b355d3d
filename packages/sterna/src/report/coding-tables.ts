/** How a file's ternary layers are coded, as text. */
import type { CodingFigures, CodingReport } from './coding-report.ts'
import { type Column, textTable } from './text-table.ts'
import { formatBytes, formatCount, formatPercent, formatTimes } from './units.ts'

/** The formats that count bits by a rule; compressors stand beside the entropy instead. */
const formats = ['2-bit', 'TQ1_0', 'mask + sign', 'CSR', 'CER', 'CSER'] as const
const profiles: readonly string[] = ['plain', 'fast', 'small', 'max']

/** What `sterna inspect --codings` prints: bytes of the ternary layers, two tables that fit 80 columns. */
export function codingText(report: CodingReport): string {
  const { layers, totals } = report
  if (layers.length === 0) return 'no layer is ternary'
  const compressors = totals.codings
    .map(({ name }) => name)
    .filter(name => !profiles.includes(name) && !formats.some(format => format === name))
  const sum = `${formatCount(totals.codedBytes)} + ${formatCount(totals.magnitudeBytes)} magnitudes + ${formatCount(report.otherBytes)} for everything else = ${formatBytes(report.fileBytes)}`
  const coded = textTable(
    [left('ternary layer'), ...['order-0', 'coded', 'overhead', 'magnitudes', ...compressors].map(right)],
    layers.map(layer => [layer.name, ...entropyCells(layer), ...codingCells(layer, compressors)]),
    [
      ['bytes', ...entropyCells(totals), ...codingCells(totals, compressors)],
      ['over coded', '', '', '', '', ...ratioCells(totals, compressors)],
    ],
  )
  const other = textTable(
    [left('ternary layer'), ...['weights', ...formats].map(right)],
    layers.map(layer => [layer.name, formatCount(layer.weights), ...codingCells(layer, formats)]),
    [
      ['bytes', '', ...codingCells(totals, formats)],
      ['over coded', '', ...ratioCells(totals, formats)],
    ],
  )
  return [coded, sum, other].join('\n\n')
}

function entropyCells({
  entropyBytes,
  codedBytes,
  overhead,
  magnitudeBytes,
}: CodingFigures): readonly string[] {
  return [
    formatCount(entropyBytes),
    formatCount(codedBytes),
    overhead === null ? '' : formatPercent(overhead, 1),
    formatCount(magnitudeBytes),
  ]
}

function codingCells({ codings }: CodingFigures, names: readonly string[]): readonly string[] {
  return names.map(name => formatCount(codings.find(coding => coding.name === name)!.bytes))
}

function ratioCells({ codings, codedBytes }: CodingFigures, names: readonly string[]): readonly string[] {
  return names.map(name => formatTimes(codings.find(coding => coding.name === name)!.bytes / codedBytes))
}

const left = (title: string): Column => ({ title, align: 'left' })
const right = (title: string): Column => ({ title, align: 'right' })
