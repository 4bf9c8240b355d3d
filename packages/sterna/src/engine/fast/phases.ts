/** The phases of a strided input as channels, and back; see `axis-phases.ts`. */
import type { OnnxEmitter } from '../onnx-emitter.ts'
import type { AxisPhases } from './axis-phases.ts'
import type { BlockedEmission } from './blocked-emission.ts'
import { type ConvPlan, isPhased, phasedChannels } from './conv-plan.ts'

/** A map or lanes as [groups, channel blocks, H, W, numbers at one position]. */
interface Positions {
  readonly outer: readonly [number, number]
  readonly inner: number
}

function positions(
  { block }: BlockedEmission,
  { n, channels }: ConvPlan,
  layout: 'lanes' | 'maps',
): Positions {
  const groups = Math.ceil(n / block)
  return layout === 'lanes'
    ? { outer: [groups, channels], inner: block }
    : { outer: [groups, channels / block], inner: block * block }
}

/** [N/b, phases·C, H', W'·b], or the input itself where the convolution has no stride. */
export function toPhases(
  emission: BlockedEmission,
  x: string,
  plan: ConvPlan,
  layout: 'lanes' | 'maps',
): string {
  if (!isPhased(plan)) return x
  const { e, block } = emission
  const { rows, columns, height, width } = plan
  const { outer, inner } = positions(emission, plan, layout)
  const [groups, blocks] = outer
  const spatial = cropped(e, e.reshape(x, [groups * blocks, height, width, inner]), plan, [height, width])
  const sliced = takeOnlyPhases(e, spatial, plan)
  const [ph, pw] = [rows.phases.length, columns.phases.length]
  const split = e.reshape(sliced, [groups, blocks, rows.length, ph, columns.length, pw, inner])
  const phased = ph * pw === 1 ? split : e.transpose(split, [0, 3, 5, 1, 2, 4, 6])
  return e.reshape(phased, [groups, phasedChannels(plan), rows.length, columns.length * block])
}

/** The adjoint of `toPhases` for maps: [N/b, phases·C, H', W'·b] -> [N/b, C, H, W·b]. */
export function fromPhases(emission: BlockedEmission, phased: string, plan: ConvPlan): string {
  const { e, block } = emission
  const { rows, columns, height, width, channels } = plan
  const { outer, inner } = positions(emission, plan, 'maps')
  const [groups, blocks] = outer
  const [ph, pw] = [rows.phases.length, columns.phases.length]
  const split = e.reshape(phased, [groups, ph, pw, blocks, rows.length, columns.length, inner])
  const together = ph * pw === 1 ? split : e.transpose(split, [0, 3, 4, 1, 5, 2, 6])
  const interleaved = [rows, columns].some(hasOnePhase)
    ? spreadOnlyPhases(e, together, plan, groups * blocks, inner)
    : together
  const length = [rows.length * rows.stride, columns.length * columns.stride] as const
  const spatial = e.reshape(interleaved, [groups * blocks, ...length, inner])
  const fitted = pads(e, spatial, [height - length[0], width - length[1]])
  return e.reshape(fitted, [groups, channels, height, width * block])
}

function hasOnePhase({ stride, phases }: AxisPhases): boolean {
  return stride > 1 && phases.length === 1
}

/** Pads or crops the ends so that both axes are stride × length. */
function cropped(
  e: OnnxEmitter,
  x: string,
  { rows, columns }: ConvPlan,
  size: readonly [number, number],
): string {
  return pads(e, x, [rows.length * rows.stride - size[0], columns.length * columns.stride - size[1]])
}

function pads(e: OnnxEmitter, x: string, [bottom, right]: readonly [number, number]): string {
  return bottom === 0 && right === 0
    ? x
    : e.emit('Pad', [x, e.integers([0, 0, 0, 0, 0, bottom, right, 0]), e.scalar(0)])
}

function takeOnlyPhases(e: OnnxEmitter, x: string, { rows, columns }: ConvPlan): string {
  const axes = [rows, columns].flatMap((axis, at) => (hasOnePhase(axis) ? [{ axis, at: at + 1 }] : []))
  if (axes.length === 0) return x
  return e.emit('Slice', [
    x,
    e.integers(axes.map(({ axis }) => axis.phases[0]!)),
    e.integers(axes.map(({ axis }) => axis.length * axis.stride)),
    e.integers(axes.map(({ at }) => at)),
    e.integers(axes.map(({ axis }) => axis.stride)),
  ])
}

/** Zeros in the phases that the kernel does not meet. */
function spreadOnlyPhases(
  e: OnnxEmitter,
  x: string,
  { rows, columns }: ConvPlan,
  outer: number,
  inner: number,
): string {
  const [ph, pw] = [rows.phases.length, columns.phases.length]
  const shape = [outer, rows.length, ph, columns.length, pw, inner]
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
  return e.emit('Pad', [e.reshape(x, shape), e.integers([...before, ...after]), e.scalar(0)])
}
