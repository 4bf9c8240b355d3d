/** Operators that move data; what they do is known when the graph is built. */
import type { Value } from '../types.ts'
import type { ImportRule } from './import-rules.ts'
import { floatCodes, isFloat, type NodeImport } from './node-import.ts'

function importReshape(n: NodeImport): void {
  const x = n.data(0)
  const target = [...(n.intsOrInput('shape', 1) ?? n.fail('expected a shape'))]
  if (n.int('allowzero', 0) === 1 && target.includes(0))
    n.fail(`shape [${target}] with allowzero is not supported`)
  // A literal batch size becomes "as in the input", so that the graph works for every batch size.
  const { batchSize } = n.state
  if (target.length > 0 && x.shape[0] === 1 && (target[0] === batchSize || target[0] === 1)) target[0] = 0
  n.define('Reshape', [x], { shape: target })
}

function importPad(n: NodeImport): void {
  const x = n.data(0)
  const rank = x.shape.length
  const mode = n.string('mode', 'constant')
  if (mode !== 'constant') n.fail(`mode ${mode} is not supported`)
  const given = n.intsOrInput('pads', 1) ?? n.ints('paddings') ?? n.fail('expected pads')
  const axes = (n.constantInts(3) ?? x.shape.map((_, axis) => axis)).map(axis =>
    axis < 0 ? axis + rank : axis,
  )
  if (given.length !== 2 * axes.length) n.fail(`expected ${2 * axes.length} pads, found ${given.length}`)
  const pads = new Array<number>(2 * rank).fill(0)
  for (const [index, axis] of axes.entries()) {
    if (axis < 0 || axis >= rank) n.fail(`axis ${axis} is outside rank ${rank}`)
    pads[axis] = given[index]!
    pads[axis + rank] = given[index + axes.length]!
  }
  const value = n.constantFloat(2) ?? n.float('value', 0)
  if (pads.every(pad => pad >= 0)) {
    n.define('Pad', [x], { pads, value })
    return
  }
  // Negative pads crop.
  const all = x.shape.map((_, axis) => axis)
  const cropped = n.before('Slice', [x], {
    starts: all.map(axis => Math.max(0, -pads[axis]!)),
    ends: all.map(axis => x.shape[axis]! - Math.max(0, -pads[axis + rank]!)),
    axes: all,
    steps: all.map(() => 1),
  })
  n.define('Pad', [cropped], { pads: pads.map(pad => Math.max(0, pad)), value })
}

function importSlice(n: NodeImport): void {
  const x = n.data(0)
  const starts = n.intsOrInput('starts', 1) ?? n.fail('expected starts')
  const ends = n.intsOrInput('ends', 2) ?? n.fail('expected ends')
  const axes = n.intsOrInput('axes', 3) ?? starts.map((_, axis) => axis)
  const steps = n.constantInts(4) ?? starts.map(() => 1)
  if (steps.some(step => step < 1)) n.fail(`steps must be positive, found [${steps}]`)
  // "To the end" is written as the largest integers there are.
  const clamped = ends.map(end => Math.min(end, 0x7fffffff))
  n.define('Slice', [x], { starts, ends: clamped, axes, steps })
}

function importCast(n: NodeImport): void {
  const to = n.int('to', 0)
  const x = n.data(0)
  if (!floatCodes.includes(to) || !isFloat(x.dtype))
    n.fail(`only casts between float types are supported, found type ${to}`)
  n.define('Identity', [x], {})
}

function unitAxes(x: Value): number[] {
  return x.shape.flatMap((size, axis) => (size === 1 ? [axis] : []))
}

export const importLayout: Readonly<Record<string, ImportRule>> = {
  Flatten: { settings: [], import: n => n.define('Flatten', [n.data(0)], { axis: n.int('axis', 1) }) },
  Reshape: { settings: [1], import: importReshape },
  Transpose: {
    settings: [],
    import: n => {
      const x = n.data(0)
      const reversed = x.shape.map((_, axis) => x.shape.length - 1 - axis)
      n.define('Transpose', [x], { perm: n.ints('perm') ?? reversed })
    },
  },
  Pad: { settings: [1, 2, 3], import: importPad },
  Slice: { settings: [1, 2, 3, 4], import: importSlice },
  Concat: { settings: [], import: n => n.define('Concat', n.allData(), { axis: n.int('axis', 1) }) },
  Squeeze: {
    settings: [1],
    import: n => n.define('Squeeze', [n.data(0)], { axes: n.intsOrInput('axes', 1) ?? unitAxes(n.data(0)) }),
  },
  Unsqueeze: {
    settings: [1],
    import: n =>
      n.define('Unsqueeze', [n.data(0)], { axes: n.intsOrInput('axes', 1) ?? n.fail('expected axes') }),
  },
  Cast: { settings: [], import: importCast },
}
