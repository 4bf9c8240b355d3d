/** Windows of convolution and pooling: auto_pad and ceil_mode become explicit pads. */
import type { NodeImport } from './node-import.ts'

export interface Window {
  readonly kernel: readonly [number, number]
  readonly strides: readonly [number, number]
  readonly dilations: readonly [number, number]
  /** top, left, bottom, right */
  readonly pads: readonly [number, number, number, number]
  /** What ceil_mode adds at the bottom and the right so that the last, partial window counts. */
  readonly overhang: readonly [number, number]
}

/** `size` is the spatial size of the input. */
export function importWindow(
  n: NodeImport,
  kernel: readonly number[],
  size: readonly [number, number],
): Window {
  const pair = (name: string): readonly [number, number] => {
    const given = n.ints(name)
    if (given === undefined) return [1, 1]
    if (given.length !== 2 || given.some(value => value < 1))
      n.fail(`${name} must be two numbers ≥ 1, found [${given}]`)
    return [given[0]!, given[1]!]
  }
  if (kernel.length !== 2) n.fail(`kernel must have two dimensions, found [${kernel}]`)
  const [kh, kw] = kernel as [number, number]
  const strides = pair('strides')
  const dilations = pair('dilations')
  const extents = [(kh - 1) * dilations[0] + 1, (kw - 1) * dilations[1] + 1] as const
  const pads = importPads(n, size, extents, strides)
  const isCeil = n.int('ceil_mode', 0) === 1
  const overhang = ([0, 1] as const).map(axis => {
    if (!isCeil) return 0
    const padded = size[axis] + pads[axis] + pads[axis + 2]!
    let windows = Math.ceil((padded - extents[axis]) / strides[axis]) + 1
    // A window that would start in the padding after the input does not count.
    if ((windows - 1) * strides[axis] >= size[axis] + pads[axis]) windows--
    return Math.max(0, (windows - 1) * strides[axis] + extents[axis] - padded)
  }) as [number, number]
  return { kernel: [kh, kw], strides, dilations, pads, overhang }
}

function importPads(
  n: NodeImport,
  size: readonly [number, number],
  extents: readonly [number, number],
  strides: readonly [number, number],
): readonly [number, number, number, number] {
  const mode = n.string('auto_pad', 'NOTSET')
  if (mode === 'NOTSET') {
    const pads = n.ints('pads') ?? [0, 0, 0, 0]
    if (pads.length !== 4 || pads.some(pad => pad < 0))
      n.fail(`pads must be four numbers ≥ 0, found [${pads}]`)
    return [pads[0]!, pads[1]!, pads[2]!, pads[3]!]
  }
  if (mode === 'VALID') return [0, 0, 0, 0]
  if (mode !== 'SAME_UPPER' && mode !== 'SAME_LOWER') n.fail(`auto_pad ${mode} is unknown`)
  const totals = ([0, 1] as const).map(axis => {
    const windows = Math.ceil(size[axis] / strides[axis])
    return Math.max(0, (windows - 1) * strides[axis] + extents[axis] - size[axis])
  }) as [number, number]
  const begins = totals.map(total => (mode === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2)))
  return [begins[0]!, begins[1]!, totals[0] - begins[0]!, totals[1] - begins[1]!]
}
