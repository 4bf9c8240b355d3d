/** The phases of a strided input as channels, and back; see `axis-phases.ts`. */
import { int, type OnnxEmitter } from '../onnx-emitter.ts'
import type { AxisPhases } from './axis-phases.ts'
import type { BlockedEmission } from './blocked-emission.ts'
import { type ConvPlan, isPhased, phasedChannels } from './conv-plan.ts'

/** Channel blocks of all groups, or channels where they lie in lanes, and the numbers that each has at one position. */
function planesOf(
  { block }: BlockedEmission,
  { samples: { samples, groups }, channels }: ConvPlan,
  layout: 'lanes' | 'maps',
) {
  return layout === 'lanes'
    ? { groups, planes: groups * channels, inner: samples }
    : { groups, planes: (groups * channels) / block, inner: samples * block }
}

/**
 * [N/s, C·phases, H', W'·s], or the input itself where the convolution has no stride. By Gather, which unlike Transpose
 * and strided Slice runs on all threads.
 */
export function toPhases(
  emission: BlockedEmission,
  x: string,
  plan: ConvPlan,
  layout: 'lanes' | 'maps',
): string {
  if (!isPhased(plan)) return x
  const { e } = emission
  const { rows, columns, height, width } = plan
  const { groups, planes, inner } = planesOf(emission, plan, layout)
  const size = [Math.max(height, lengthOf(rows)), Math.max(width, lengthOf(columns))] as const
  const padded = padEnds(e, e.reshape(x, [planes, height, width, inner]), [size[0] - height, size[1] - width])
  const index: number[] = []
  for (const row of rows.phases) {
    for (const column of columns.phases) {
      for (let y = 0; y < rows.length; y++) {
        for (let x = 0; x < columns.length; x++)
          index.push((y * rows.stride + row) * size[1] + x * columns.stride + column)
      }
    }
  }
  const gathered = gather(e, e.reshape(padded, [planes, size[0] * size[1], inner]), index)
  return e.reshape(gathered, [
    groups,
    phasedChannels(plan),
    rows.length,
    columns.length * plan.samples.samples,
  ])
}

/** The adjoint of `toPhases` for maps: [N/s, C·phases, H', W'·s] -> [N/s, C, H, W·s]. */
export function fromPhases(emission: BlockedEmission, phased: string, plan: ConvPlan): string {
  const { e } = emission
  const { rows, columns, height, width, channels } = plan
  const { groups, planes, inner } = planesOf(emission, plan, 'maps')
  const size = [Math.min(height, lengthOf(rows)), Math.min(width, lengthOf(columns))] as const
  const spatial = [rows, columns].some(hasOnePhase)
    ? e.reshape(spreadOnlyPhases(e, phased, plan, planes, inner), [
        planes,
        lengthOf(rows),
        lengthOf(columns),
        inner,
      ])
    : e.reshape(interleave(e, phased, plan, size, [planes, inner]), [planes, ...size, inner])
  const held = [rows, columns].some(hasOnePhase) ? [lengthOf(rows), lengthOf(columns)] : size
  const fitted = padEnds(e, spatial, [height - held[0]!, width - held[1]!])
  return e.reshape(fitted, [groups, channels, height, width * plan.samples.samples])
}

/** The first `size` positions, taken from their phases. */
function interleave(
  e: OnnxEmitter,
  phased: string,
  { rows, columns }: ConvPlan,
  size: readonly [number, number],
  [planes, inner]: readonly [number, number],
): string {
  const perPhase = rows.length * columns.length
  const index: number[] = []
  for (let y = 0; y < size[0]; y++) {
    for (let x = 0; x < size[1]; x++) {
      const phase = (y % rows.stride) * columns.stride + (x % columns.stride)
      const row = Math.floor(y / rows.stride)
      index.push(phase * perPhase + row * columns.length + Math.floor(x / columns.stride))
    }
  }
  const phases = rows.stride * columns.stride
  return gather(e, e.reshape(phased, [planes, phases * perPhase, inner]), index)
}

function gather(e: OnnxEmitter, x: string, index: readonly number[]): string {
  return e.emit('Gather', [x, e.integers(index)], { axis: int(1) })
}

/** Positions of the input that the phases hold. */
function lengthOf({ length, stride }: AxisPhases): number {
  return length * stride
}

function hasOnePhase({ stride, phases }: AxisPhases): boolean {
  return stride > 1 && phases.length === 1
}

/** Pads, or with a negative number crops, the ends of both axes. */
function padEnds(e: OnnxEmitter, x: string, [bottom, right]: readonly [number, number]): string {
  return bottom === 0 && right === 0
    ? x
    : e.emit('Pad', [x, e.integers([0, 0, 0, 0, 0, bottom, right, 0]), e.scalar(0)])
}

/** Zeros in the phases that the kernel does not meet. */
function spreadOnlyPhases(
  e: OnnxEmitter,
  x: string,
  { rows, columns }: ConvPlan,
  planes: number,
  inner: number,
): string {
  const [ph, pw] = [rows.phases.length, columns.phases.length]
  const split = e.reshape(x, [planes, ph, pw, rows.length, columns.length, inner])
  const apart =
    ph * pw === 1
      ? e.reshape(x, [planes, rows.length, 1, columns.length, 1, inner])
      : e.transpose(split, [0, 3, 1, 4, 2, 5])
  const before = [0, 0, 0, 0, 0, 0]
  const after = [0, 0, 0, 0, 0, 0]
  for (const [axis, at] of [
    [rows, 2],
    [columns, 4],
  ] as const) {
    if (!hasOnePhase(axis)) continue
    before[at] = axis.phases[0]!
    after[at] = axis.stride - 1 - axis.phases[0]!
  }
  return e.emit('Pad', [apart, e.integers([...before, ...after]), e.scalar(0)])
}
