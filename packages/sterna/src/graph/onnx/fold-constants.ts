/**
 * Shape arithmetic: exporters compute the target of a Reshape with Shape, Gather, Concat and the like. All
 * shapes are static here, so those nodes are evaluated while importing and leave nothing in the graph.
 */
import { SternaError, sizeOf, type Tensor, tensor } from '../../core/index.ts'
import { floatCodes, isFloat, type NodeImport, toF32 } from './node-import.ts'

type FoldRule = (n: NodeImport, inputs: readonly Tensor[]) => Tensor | undefined

/** More elements than any shape computation has. */
const mostElements = 1024

/** Half floats as their values, everything else as it is. */
function toFloats(x: Tensor, where: string): Tensor {
  return isFloat(x.dtype) ? toF32(x, where) : x
}

function integers(values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
  return tensor('i64', shape, BigInt64Array.from(values, BigInt))
}

function numbers(value: Tensor): number[] {
  return Array.from(value.data, Number)
}

function elementwise(combine: (a: number, b: number) => number): FoldRule {
  return (_, [a, b]) => {
    if (a === undefined || b === undefined || isFloat(a.dtype) || isFloat(b.dtype)) return undefined
    const [left, right] = [numbers(a), numbers(b)]
    if (left.length !== right.length && left.length !== 1 && right.length !== 1) return undefined
    const length = left.length === 1 ? right.length : left.length
    const at = (values: number[], i: number) => values[values.length === 1 ? 0 : i]!
    const result = Array.from({ length }, (_, i) => combine(at(left, i), at(right, i)))
    if (!result.every(Number.isSafeInteger)) return undefined
    return integers(result, left.length === length && a.shape.length >= b.shape.length ? a.shape : b.shape)
  }
}

function range(start: number, end: number, step: number): number[] {
  return Array.from({ length: Math.max(0, Math.ceil((end - start) / step)) }, (_, i) => start + i * step)
}

/** The elements at all combinations of `positions`; axis i of the result runs along axis `axes[i]` of x. */
function pick(
  x: Tensor,
  positions: readonly (readonly number[])[],
  axes: readonly number[] = x.shape.map((_, axis) => axis),
): Tensor {
  const values = numbers(x)
  const stride = (axis: number) => sizeOf(x.shape.slice(axis + 1))
  let offsets = [0]
  for (const [index, along] of positions.entries()) {
    const step = stride(axes[index]!)
    offsets = offsets.flatMap(offset => along.map(position => offset + position * step))
  }
  return integers(
    offsets.map(offset => values[offset]!),
    positions.map(({ length }) => length),
  )
}

const rules: Readonly<Record<string, FoldRule>> = {
  Constant: n => {
    const value = n.tensor('value')
    if (value !== undefined) return value
    const ints = n.ints('value_ints')
    if (ints !== undefined) return integers(ints)
    const attributes = n.node.attributes
    if (Object.hasOwn(attributes, 'value_int')) return integers([n.int('value_int', 0)], [])
    if (Object.hasOwn(attributes, 'value_float'))
      return tensor('f32', [], Float32Array.of(n.float('value_float', 0)))
    const floats = attributes.value_floats
    if (floats?.kind === 'floats')
      return tensor('f32', [floats.value.length], Float32Array.from(floats.value))
    return n.fail('expected the attribute value')
  },
  ConstantOfShape: (n, [shape]) => {
    if (shape === undefined) return undefined
    const sizes = numbers(shape)
    if (sizes.reduce((product, size) => product * size, 1) > mostElements) return undefined
    const value = n.tensor('value')
    const length = sizeOf(sizes)
    if (value !== undefined && !isFloat(value.dtype)) {
      return integers(
        Array.from({ length }, () => Number(value.data[0])),
        sizes,
      )
    }
    return tensor(
      'f32',
      sizes,
      new Float32Array(length).fill(value === undefined ? 0 : Number(value.data[0])),
    )
  },
  Identity: (_, [x]) => x,
  Cast: (n, [x]) => {
    const to = n.int('to', 0)
    if (x === undefined) return undefined
    if (floatCodes.includes(to))
      return tensor('f32', x.shape, Float32Array.from(numbers(toFloats(x, n.where))))
    if ((to !== 6 && to !== 7) || isFloat(x.dtype)) return undefined
    return integers(numbers(x), x.shape)
  },
  Gather: (n, [x, indices]) => {
    if (x === undefined || indices === undefined || x.shape.length !== 1 || isFloat(x.dtype)) return undefined
    const values = numbers(x)
    const picked = numbers(indices).map(index => values[index < 0 ? index + values.length : index])
    if (!picked.every(value => value !== undefined)) return n.fail(`index outside [${x.shape}]`)
    return integers(picked, indices.shape)
  },
  Concat: (_, inputs) => {
    if (inputs.some(input => input.shape.length !== 1 || isFloat(input.dtype))) return undefined
    return integers(inputs.flatMap(numbers))
  },
  Unsqueeze: (_, [x]) =>
    x !== undefined && !isFloat(x.dtype) && x.data.length === 1 ? integers(numbers(x)) : undefined,
  Squeeze: (_, [x]) =>
    x !== undefined && !isFloat(x.dtype) && x.data.length === 1 ? integers(numbers(x), []) : undefined,
  Reshape: (n, [x]) => {
    if (x === undefined || isFloat(x.dtype)) return undefined
    const target = n.constantInts(1) ?? []
    const known = target.reduce((product, size) => (size === -1 ? product : product * size), 1)
    const shape = target.map(size => (size === -1 && known > 0 ? x.data.length / known : size))
    if (shape.some(size => !Number.isInteger(size) || size < 0) || sizeOf(shape) !== x.data.length) {
      n.fail(`[${x.shape}] has no shape [${target}]`)
    }
    return integers(numbers(x), shape)
  },
  Transpose: (n, [x]) => {
    if (x === undefined || isFloat(x.dtype)) return undefined
    const perm = n.ints('perm') ?? x.shape.map((_, axis) => x.shape.length - 1 - axis)
    if (perm.length !== x.shape.length || x.shape.some((_, axis) => !perm.includes(axis)))
      n.fail(`perm [${perm}]`)
    return pick(
      x,
      perm.map(axis => range(0, x.shape[axis]!, 1)),
      perm,
    )
  },
  Slice: (n, [x]) => {
    if (x === undefined || isFloat(x.dtype)) return undefined
    const starts = n.intsOrInput('starts', 1) ?? []
    const ends = n.intsOrInput('ends', 2) ?? []
    const axes = n.intsOrInput('axes', 3) ?? starts.map((_, axis) => axis)
    const steps = n.constantInts(4) ?? starts.map(() => 1)
    const positions: number[][] = x.shape.map(size => range(0, size, 1))
    for (const [index, given] of axes.entries()) {
      const axis = given < 0 ? given + x.shape.length : given
      const [size, step] = [x.shape[axis], steps[index]]
      if (size === undefined || step === undefined || step === 0) return n.fail(`axis ${given}, step ${step}`)
      const clamp = (value: number) =>
        Math.min(Math.max(value < 0 ? value + size : value, step < 0 ? -1 : 0), step < 0 ? size - 1 : size)
      positions[axis] = range(clamp(starts[index] ?? 0), clamp(ends[index] ?? size), step)
    }
    return pick(x, positions)
  },
  Add: elementwise((a, b) => a + b),
  Sub: elementwise((a, b) => a - b),
  Mul: elementwise((a, b) => a * b),
  Div: elementwise((a, b) => Math.trunc(a / b)),
}

/** The node's value if it can be known now; such nodes do not become part of the graph. */
export function foldConstant(n: NodeImport): Tensor | undefined {
  const { node, state } = n
  if (node.opType === 'Shape') {
    const name = node.inputs[0] ?? ''
    const value = state.values.get(name) ?? state.constants.get(name)
    if (value === undefined) return undefined
    const end = n.int('end', value.shape.length)
    return integers(value.shape.slice(n.int('start', 0), end))
  }
  if (!Object.hasOwn(rules, node.opType)) return undefined
  const inputs: Tensor[] = []
  for (const name of node.inputs) {
    if (name === '') continue
    const constant = state.constants.get(name)
    if (constant === undefined || state.values.has(name) || constant.data.length > mostElements)
      return undefined
    inputs.push(constant)
  }
  const folded = rules[node.opType]!(n, inputs)
  if (folded === undefined) return undefined
  if (sizeOf(folded.shape) !== folded.data.length) {
    throw new SternaError(
      'tensor/invalid',
      `${n.where}: shape [${folded.shape}], ${folded.data.length} elements`,
    )
  }
  return folded
}
