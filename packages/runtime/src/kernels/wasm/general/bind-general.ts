/** Turns steps of operators that few networks have into calls. */
import type { FoldShape, GeneralKernel, ProductShape } from '../../../plan/general/kernel.ts'
import { broadcastStrides, type Shape, sizeOf } from '../../../plan/shape.ts'
import { type Binding, type BindingContext, bindCall, bindInOrder } from '../binding.ts'
import { joinAxes, type SharedAxis, walkAxes } from '../copies.ts'
import type { KernelFunction, Library } from '../library.ts'
import { emitCopy } from '../plain.ts'
import { type BroadcastSpec, emitBroadcast } from './broadcast.ts'
import { emitColumnFold, emitRowFold, type FoldSpec } from './fold.ts'
import { emitMap } from './map.ts'
import { emitNormalize } from './normalize.ts'
import { emitProduct } from './product.ts'
import { emitWindow } from './window.ts'

/** Values of a step: where they lie, and their shapes. */
interface Operand {
  readonly address: number
  readonly shape: Shape
}

/** Undefined where the planned kernel is none of these. */
export function bindGeneralStep(context: BindingContext): Binding | undefined {
  const { plan, planned, library } = context
  const { kernel, step } = planned
  const shape = plan.shapes.get(step.output)!
  const output: Operand = { address: plan.addresses.get(step.output)!, shape }
  const end = output.address + 4 * sizeOf(shape)
  const inputs = step.node.inputs.map(
    (name, i): Operand => ({
      address: context.inputs[i]!,
      shape: plan.shapes.get(name)!,
    }),
  )
  const [x, second] = inputs as [Operand, Operand]
  const work = planned.workAddress!
  switch (kernel.name) {
    case 'map':
      return bindCall(library.request(emitMap, kernel.function), output.address, end, x.address)
    case 'broadcast':
      return bindBroadcast(library, kernel.op, output, x, second)
    case 'normalize':
      return bindNormalize(library.request(emitNormalize, kernel.epsilon), output, inputs)
    case 'softmax':
      return bindSoftmax(library, kernel, output.address, x.address, work)
    case 'fold':
      return bindFolds(library, kernel, output.address, x.address, work)
    case 'window':
      return bindWindow(library, kernel, output, inputs)
    case 'product':
      return bindProduct(library, kernel, output, inputs, work)
    default:
      return undefined
  }
}

/** Image by image: the statistics begin anew with each. */
function bindNormalize(
  normalize: () => KernelFunction,
  { address, shape }: Operand,
  [x, ...vectors]: readonly Operand[],
): Binding {
  const [batch, channels] = shape as [number, number]
  const imageBytes = (4 * sizeOf(shape)) / batch
  const statistics = vectors.map(vector => vector.address)
  return bindEach(batch, normalize, image => {
    const start = address + image * imageBytes
    const input = x!.address + image * imageBytes
    return [start, start + imageBytes, imageBytes / channels, input, ...statistics]
  })
}

function bindBroadcast(
  library: Library,
  op: BroadcastSpec['op'],
  output: Operand,
  a: Operand,
  b: Operand,
): Binding {
  const { shape } = output
  const steps = [a, b].map(operand => broadcastStrides(operand.shape, shape.length))
  const axes = joinAxes(shape, steps)
  const row = axes.at(-1)!
  const broadcast = library.request(emitBroadcast, {
    op,
    stretched: row.steps[0] === 0 ? 'a' : row.steps[1] === 0 ? 'b' : undefined,
  })
  const [planes, rows] = axes.slice(-3, -1) as [(typeof axes)[number], (typeof axes)[number]]
  const block = planes.size * rows.size * row.size
  return bindAlong(axes.slice(0, -3), broadcast, (aStart, bStart, index) => [
    output.address + 4 * block * index,
    planes.size,
    rows.size,
    4 * row.size,
    a.address + 4 * aStart,
    4 * planes.steps[0]!,
    4 * rows.steps[0]!,
    b.address + 4 * bStart,
    4 * planes.steps[1]!,
    4 * rows.steps[1]!,
  ])
}

/** One call for each place along the axes: as many as a file asks for, so none is kept. */
const bindAlong =
  (
    axes: readonly SharedAxis[],
    kernel: () => KernelFunction,
    numbersAt: (first: number, second: number, index: number) => readonly number[],
  ): Binding =>
  () => {
    const run = kernel()
    return () => {
      let index = 0
      walkAxes(axes, (first, second) => run(...numbersAt(first, second, index++)))
    }
  }

const bindEach = (
  count: number,
  kernel: () => KernelFunction,
  numbersAt: (index: number) => readonly number[],
): Binding => bindAlong([{ size: count, steps: [1, 1] }], kernel, numbersAt)

function bindFold(
  library: Library,
  spec: FoldSpec,
  { outer, size, inner }: FoldShape,
  output: number,
  input: number,
): Binding {
  if (inner === 1) return bindCall(library.request(emitRowFold, spec), output, input, outer, 4 * size)
  return bindCall(library.request(emitColumnFold, spec), output, input, outer, size, 4 * inner)
}

function bindSoftmax(
  library: Library,
  { logarithm, ...folded }: Extract<GeneralKernel, { readonly name: 'softmax' }>,
  output: number,
  input: number,
  work: number,
): Binding {
  const { outer, size, inner } = folded
  const shape = [outer, size, inner]
  const along = [outer, 1, inner]
  const result = { address: output, shape }
  const x = { address: input, shape }
  const largest = { address: work, shape: along }
  const fold = (spec: FoldSpec, from: number, to: number): Binding =>
    bindFold(library, spec, folded, to, from)
  const toLargest = fold({ fold: 'max', scale: 1 }, input, work)
  const powers = bindBroadcast(library, 'Exp', result, x, largest)
  if (!logarithm) {
    return bindInOrder(
      toLargest,
      powers,
      fold({ fold: 'sum', scale: 1 }, output, work),
      bindBroadcast(library, 'Div', result, result, largest),
    )
  }
  const sums = { address: work + 4 * outer * inner, shape: along }
  return bindInOrder(
    toLargest,
    powers,
    fold({ fold: 'logarithm of sum', scale: 1 }, output, sums.address),
    bindBroadcast(library, 'Sub', result, x, largest),
    bindBroadcast(library, 'Sub', result, result, sums),
  )
}

function bindFolds(
  library: Library,
  { passes, scale }: Extract<GeneralKernel, { readonly name: 'fold' }>,
  output: number,
  input: number,
  work: number,
): Binding {
  let from = input
  let free = work
  return bindInOrder(
    ...passes.map((pass, index) => {
      const isLast = index === passes.length - 1
      const to = isLast ? output : free
      const binding = bindFold(library, { fold: 'sum', scale: isLast ? scale : 1 }, pass, to, from)
      from = to
      free += 4 * pass.outer * pass.inner
      return binding
    }),
  )
}

type Sizes4 = readonly [number, number, number, number]

function bindWindow(
  library: Library,
  { geometry, folds, groups }: Extract<GeneralKernel, { readonly name: 'window' }>,
  output: Operand,
  [x, weight, bias]: readonly Operand[],
): Binding {
  const [batch, channels, height, width] = x!.shape as Sizes4
  const [, filters, outHeight, outWidth] = output.shape as Sizes4
  const hasWeights = folds.fold === 'dot'
  const depth = hasWeights ? channels / groups : 1
  const slide = library.request(emitWindow, {
    geometry,
    folds,
    depth,
    input: [height, width],
    output: [outHeight, outWidth],
  })
  const planeBytes = 4 * height * width
  const outputBytes = 4 * outHeight * outWidth
  if (!hasWeights) {
    const end = output.address + batch * channels * outputBytes
    return bindCall(slide, output.address, end, x!.address, planeBytes, 0, 0)
  }
  const perGroup = filters / groups
  const filterBytes = 4 * sizeOf(weight!.shape.slice(1))
  return bindEach(batch * groups, slide, index => {
    const first = (index % groups) * perGroup
    const start = output.address + index * perGroup * outputBytes
    return [
      start,
      start + perGroup * outputBytes,
      x!.address + index * depth * planeBytes,
      0,
      weight!.address + first * filterBytes,
      bias === undefined ? 0 : bias.address + 4 * first,
    ]
  })
}

function bindProduct(
  library: Library,
  { rows, inner, columns, transA, transB, alpha, beta, stack }: ProductShape,
  output: Operand,
  [a, b, c]: readonly Operand[],
  work: number,
): Binding {
  const copy = library.request(emitCopy, undefined)
  /** Fills a matrix, row by row, from where these steps lead in another. */
  const fill = (
    to: number,
    from: number,
    [height, width]: readonly [number, number],
    [row, column]: readonly number[],
  ): Binding => bindCall(copy, to, from, 1, height, 4 * width, 0, 4 * width, 0, 4 * row!, 4 * column!)
  const before: Binding[] = []
  if (c !== undefined)
    before.push(fill(output.address, c.address, [rows, columns], broadcastStrides(c.shape, 2)))
  if (transB) before.push(fill(work, b!.address, [inner, columns], [1, inner]))
  const [aRow, aColumn] = transA ? [1, rows] : [inner, 1]
  const multiply = library.request(emitProduct, { alpha, beta })
  const products = bindAlong(stack, multiply, (aIndex, bIndex, index) => {
    const start = output.address + 4 * index * rows * columns
    return [
      start,
      start + 4 * rows * columns,
      4 * columns,
      inner,
      a!.address + 4 * aIndex * rows * inner,
      4 * aRow!,
      4 * aColumn!,
      transB ? work : b!.address + 4 * bIndex * inner * columns,
    ]
  })
  return bindInOrder(...before, products)
}
