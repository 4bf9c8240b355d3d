/** What changed between two packed networks, as text. */
import type { FlippedLevels, SternaDiff, TensorDiff } from '../pack/index.ts'
import { textPairs, textTable } from './text-table.ts'
import { formatBytes, formatCount, formatPercent } from './units.ts'

/** What `sterna diff` prints: a summary, the changes of the graph, the tensors that changed in values or bytes. */
export function diffText(diff: SternaDiff): string {
  const [before, after] = diff.bytes
  const changed = diff.tensors.filter(({ change }) => change !== 'same')
  const listed = diff.tensors.filter(({ change, bytes }) => change !== 'same' || bytes[0] !== bytes[1])
  const summary = textPairs([
    ['networks', diff.isSame ? 'compute the same' : 'differ'],
    ['file', `${formatCount(before)} → ${formatBytes(after)} (${signedPercent(after / before - 1)})`],
    ['graph', diff.structure.length === 0 ? 'the same' : 'changed as below'],
    ['tensors', changed.length === 0 ? 'the same' : `${changed.length} of ${diff.tensors.length} changed`],
    ['flipped', describeFlips(diff.tensors)],
    ['metadata', diff.metadataChanged ? 'changed' : 'the same'],
  ])
  const parts = [summary]
  if (diff.structure.length > 0) parts.push(diff.structure.join('\n'))
  if (listed.length > 0) parts.push(tensorTable(listed))
  return parts.join('\n\n')
}

function describeFlips(tensors: readonly TensorDiff[]): string {
  const flips = tensors.flatMap(({ flipped }) => (flipped === undefined ? [] : [flipped]))
  if (flips.length === 0) return 'no ternary tensor is in both files in one shape'
  const sum = (of: (flip: FlippedLevels) => number) => flips.reduce((total, flip) => total + of(flip), 0)
  const [toZero, fromZero, signs] = [sum(f => f.toZero), sum(f => f.fromZero), sum(f => f.signs)]
  return `${formatCount(toZero + fromZero + signs)} ternary weights: ${formatCount(toZero)} to zero, ${formatCount(fromZero)} from zero, ${formatCount(signs)} in sign`
}

function tensorTable(tensors: readonly TensorDiff[]): string {
  return textTable(
    [
      { title: 'tensor', align: 'left' },
      { title: 'bytes', align: 'right' },
      { title: 'zeros', align: 'right' },
      { title: 'flipped', align: 'right' },
      { title: 'values', align: 'right' },
    ],
    tensors.map(({ name, change, bytes, zeros, flipped, largestDifference }) => [
      name,
      formatPair(bytes),
      formatPair(zeros),
      flipped === undefined ? '' : formatCount(flipped.toZero + flipped.fromZero + flipped.signs),
      describeValues(change, largestDifference),
    ]),
  )
}

function describeValues(change: TensorDiff['change'], largestDifference: number | undefined): string {
  if (change === 'shape') return 'other shape'
  if (change === 'values' && largestDifference !== undefined) return `± ${largestDifference.toPrecision(3)}`
  return change
}

function formatPair([before, after]: readonly [number | undefined, number | undefined]): string {
  const [one, other] = [before, after].map(value => (value === undefined ? '–' : formatCount(value)))
  return one === other ? one! : `${one} → ${other}`
}

function signedPercent(change: number): string {
  return `${change > 0 ? '+' : ''}${formatPercent(change, 1)}`
}
