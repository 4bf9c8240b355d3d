/** Decodes ternary weights in plain TypeScript. */
import { ListSink } from '../../ternary-lists.ts'
import type { RangeDecoder } from '../range-decoder.ts'
import { fillTarget, type TernaryTarget } from '../ternary.ts'
import {
  type CodedAssignment,
  type Geometry,
  type ScanOrder,
  scan,
  scannedGeometry,
} from '../ternary-model.ts'
import { codeAssignment } from './code-assignment.ts'

/** As `codeAssignment` with a decoder, in any order. */
export function decodeAssignment(coder: RangeDecoder, target: TernaryTarget, coded: CodedAssignment): void {
  const { geometry, order, model, below } = coded
  const { filters, channels, rows, columns } = geometry
  const elements = filters * channels * rows * columns
  if (model.set === 'fixed') {
    const { density, negative } = model
    fillTarget(target, elements, () => (coder.code(density, 0) === 0 ? 0 : 1 - 2 * coder.code(negative, 0)))
    return
  }
  const scanned = scannedGeometry(geometry, order)
  if (!order.channelsFirst && !order.columnsFirst) {
    codeAssignment(coder, target, scanned, model, below)
    return
  }
  const levels = new Int8Array(elements)
  codeAssignment(coder, levels, scanned, model, below && inOrder(below, geometry, order))
  const assignment = target instanceof ListSink ? new Int8Array(elements) : target
  let next = 0
  scan(geometry, order, place => {
    assignment[place] = levels[next++]!
  })
  if (target instanceof ListSink) target.take(0, assignment, 0, elements)
}

function inOrder(levels: Int8Array, geometry: Geometry, order: ScanOrder): Int8Array {
  const ordered = new Int8Array(levels.length)
  let next = 0
  scan(geometry, order, place => {
    ordered[next++] = levels[place]!
  })
  return ordered
}
