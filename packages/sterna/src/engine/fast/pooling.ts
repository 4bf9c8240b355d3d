/** Pooling of blocked maps, one axis after the other, and its gradients on [N/s·C/b, H, W, s·b]. */
import type { AveragePoolAttributes, PoolAttributes } from 'sterna-runtime'
import type { Shape } from '../../core/index.ts'
import { int, ints, type OnnxAttributes } from '../onnx-emitter.ts'
import { emitAveragePoolGradient, emitMaxGradients } from '../standard/pool-gradient.ts'
import { emitReduce } from '../standard/reduction.ts'
import type { BlockedEmission, BlockedRules, MapSizes } from './blocked-emission.ts'
import { addendsOf, emitChannelMeans } from './channel-sums.ts'

type PoolOperator = 'MaxPool' | 'AveragePool'

/** Pools x, seen as maps whose height is the axis in question: 0 the rows, 1 the columns of the feature map. */
function poolAxis(
  emission: BlockedEmission,
  opType: PoolOperator,
  x: string,
  view: Shape,
  at: 0 | 1,
  { kernel, strides, pads }: PoolAttributes,
  more: OnnxAttributes = {},
): string {
  const [size, stride, before, after] = [kernel[at], strides[at], pads[at]!, pads[at + 2]!]
  if (size === 1 && stride === 1 && before + after === 0) return x
  return emission.once(`${opType} ${at} ${[size, stride, before, after]} ${JSON.stringify(more)} ${x}`, () =>
    emission.blocked(opType, [emission.e.reshape(x, view)], {
      kernel_shape: ints([size, 1]),
      strides: ints([stride, 1]),
      pads: ints([before, 0, after, 0]),
      ...more,
    }),
  )
}

/** Of maps as for `poolAxis`, where the windows are pairs beside each other: the first minus the second. */
function pairDifference(
  emission: BlockedEmission,
  x: string,
  view: Shape,
  at: 0 | 1,
  { kernel, strides, pads }: PoolAttributes,
): string | undefined {
  if (kernel[at] !== 2 || strides[at] !== 2 || pads[at] + pads[at + 2]! > 0) return undefined
  const { e, block } = emission
  const signs = Array.from({ length: 2 * block }, (_, lane) => (lane < block ? 1 : -1))
  return emission.conv(e.reshape(x, view), e.floats(signs, [block, 1, 2, 1]), {
    kernel: [2, 1],
    strides: [2, 1],
    groups: block,
  })
}

/** [N/s·C/b, b, H, W·s] */
function rowView({ block }: BlockedEmission, { samples, groups, blocks, height, width }: MapSizes): Shape {
  return [groups * blocks, block, height, width * samples]
}

/** A row of s samples is a map of its own, [N/s·C/b·H, b, W, s]. */
function columnView({ block }: BlockedEmission, { samples, groups, blocks, height, width }: MapSizes): Shape {
  return [groups * blocks * height, block, width, samples]
}

function emitPool(
  emission: BlockedEmission,
  opType: PoolOperator,
  x: string,
  y: string,
  attributes: PoolAttributes,
  more: OnnxAttributes = {},
): boolean {
  if (!emission.isMap(x) || !emission.isMap(y)) return false
  const sizes = emission.sizes(x)
  const pooledSizes = emission.sizes(y)
  // The columns first: the gradient needs the maxima of each row's windows too.
  const columns = poolAxis(
    emission,
    opType,
    emission.maps(x),
    columnView(emission, sizes),
    1,
    attributes,
    more,
  )
  const rows = rowView(emission, { ...sizes, width: pooledSizes.width })
  const pooled = poolAxis(emission, opType, columns, rows, 0, attributes, more)
  const isZero = emission.isZeroTailed(emission.maps(x), sizes.n)
  emission.defineMaps(y, emission.e.reshape(pooled, emission.mapShape(pooledSizes)), isZero)
  return true
}

/** [N/s·C/b, H, W, s·b] */
function spatialShape(
  { block }: BlockedEmission,
  { samples, groups, blocks, height, width }: MapSizes,
): Shape {
  return [groups * blocks, height, width, samples * block]
}

function average({ countIncludePad }: AveragePoolAttributes): OnnxAttributes {
  return { count_include_pad: int(countIncludePad ? 1 : 0) }
}

export const pooling = {
  MaxPool: (emission, node) =>
    emitPool(emission, 'MaxPool', node.inputs[0]!, node.outputs[0]!, node.attributes),
  AveragePool: (emission, node) =>
    emitPool(
      emission,
      'AveragePool',
      node.inputs[0]!,
      node.outputs[0]!,
      node.attributes,
      average(node.attributes),
    ),

  MaxPoolGradient: (emission, node) => {
    const [x, y, dy] = node.inputs as readonly [string, string, string]
    const output = node.outputs[0]!
    if (![x, y, dy, output].every(name => emission.isMap(name))) return false
    const { e } = emission
    const { attributes } = node
    const sizes = emission.sizes(x)
    const pooled = emission.sizes(y)
    const shape = spatialShape(emission, sizes)
    const pooledShape = spatialShape(emission, pooled)
    const rowShape = [shape[0]!, shape[1]!, pooledShape[2]!, shape[3]!]
    const source = emission.maps(x)
    const columns = columnView(emission, sizes)
    const rows = rowView(emission, { ...sizes, width: pooled.width })
    const maxima = poolAxis(emission, 'MaxPool', source, columns, 1, attributes)
    const reshaped = (name: string | undefined, to: Shape) => name && e.reshape(name, to)
    const spread = emitMaxGradients(e, {
      x: e.reshape(source, shape),
      shape,
      rowMaxima: e.reshape(maxima, rowShape),
      y: e.reshape(emission.maps(y), pooledShape),
      dy: e.reshape(emission.maps(dy), pooledShape),
      pooled: pooledShape,
      axes: [1, 2],
      attributes,
      differences: [
        reshaped(pairDifference(emission, maxima, rows, 0, attributes), pooledShape),
        reshaped(pairDifference(emission, source, columns, 1, attributes), rowShape),
      ],
    })
    const isZero = emission.isZeroTailed(emission.maps(dy), sizes.n)
    emission.defineMaps(output, e.reshape(spread, emission.mapShape(sizes)), isZero)
    return true
  },

  AveragePoolGradient: (emission, node) => {
    const [dy] = node.inputs as readonly [string]
    const output = node.outputs[0]!
    if (!emission.isMap(dy) || !emission.isMap(output)) return false
    const { e } = emission
    const sizes = emission.sizes(output)
    const shape = spatialShape(emission, emission.sizes(dy))
    const spread = emitAveragePoolGradient(e, {
      dy: e.reshape(emission.maps(dy), shape),
      shape,
      axes: [1, 2],
      attributes: node.attributes,
      size: [sizes.height, sizes.width],
    })
    const isZero = emission.isZeroTailed(emission.maps(dy), sizes.n)
    emission.defineMaps(output, e.reshape(spread, emission.mapShape(sizes)), isZero)
    return true
  },

  GlobalAveragePool: (emission, node) => {
    const x = node.inputs[0]!
    const output = node.outputs[0]!
    if (!emission.isMap(x)) return false
    const { e, block } = emission
    const { n, samples, groups, channels, blocks, height, width } = emission.sizes(x)
    const view = e.reshape(emission.maps(x), [groups * blocks, height * width, samples * block])
    const means = e.reshape(emitReduce(e, 'ReduceMean', view, [1], false), [groups, blocks, samples, block])
    const all = e.reshape(e.transpose(means, [0, 2, 1, 3]), [groups * samples, channels])
    const real =
      n === groups * samples ? all : e.emit('Slice', [all, e.integers([0]), e.integers([n]), e.integers([0])])
    emission.definePlain(output, e.reshape(real, [n, channels, 1, 1]))
    return true
  },

  /** The gradient of an average over the map: one number for each sample and channel, at every position. */
  Expand: (emission, node) => {
    const x = node.inputs[0]!
    const output = node.outputs[0]!
    const { n, samples, groups, channels, blocks, height, width } = emission.sizes(output)
    const expected = [n, channels, 1, 1]
    if (!emission.isMap(output) || emission.shape(x).join() !== expected.join()) return false
    const { e, block } = emission
    const all = e.reshape(emission.plain(x), [n, channels])
    const padding = groups * samples - n
    const padded = padding === 0 ? all : e.emit('Pad', [all, e.integers([0, 0, padding, 0]), e.scalar(0)])
    const split = e.transpose(e.reshape(padded, [groups, samples, blocks, block]), [0, 2, 1, 3])
    const tiles = e.reshape(split, [groups * blocks, 1, samples * block])
    const spread = e.emit('Expand', [tiles, e.integers([groups * blocks, height * width, samples * block])])
    emission.defineMaps(output, e.reshape(spread, emission.mapShape(emission.sizes(output))), true)
    return true
  },

  /** The gradient of a bias: a sum over samples and positions. */
  ReduceSum: (emission, node) => {
    const x = node.inputs[0]!
    const { axes, keepDims } = node.attributes
    if (!emission.isMap(x) || keepDims || [...axes].sort().join() !== '0,2,3') return false
    const sizes = emission.sizes(x)
    const means = emitChannelMeans(emission, emission.zeroTailed(emission.maps(x), sizes), sizes)
    emission.definePlain(
      node.outputs[0]!,
      emission.e.emit('Mul', [means, emission.e.scalar(addendsOf(sizes))]),
    )
    return true
  },
} satisfies BlockedRules
