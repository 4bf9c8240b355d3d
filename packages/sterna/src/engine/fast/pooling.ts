/** Pooling of blocked maps, one axis after the other, and its gradients on [N/b·C/b, H, W, b²]. */
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
  return emission.blocked(opType, [emission.e.reshape(x, view)], {
    kernel_shape: ints([size, 1]),
    strides: ints([stride, 1]),
    pads: ints([before, 0, after, 0]),
    ...more,
  })
}

/** [N/b·C/b, b, H, W·b] */
function rowView({ block }: BlockedEmission, { groups, blocks, height, width }: MapSizes): Shape {
  return [groups * blocks, block, height, width * block]
}

/** A row of b samples is a map of its own, [N/b·C/b·H, b, W, b]. */
function columnView({ block }: BlockedEmission, { groups, blocks, height, width }: MapSizes): Shape {
  return [groups * blocks * height, block, width, block]
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
  // The columns first: the gradient needs the maxima of each row's windows too, and the engine merges equal nodes.
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

/** [N/b·C/b, H, W, b²] */
function spatialShape({ block }: BlockedEmission, { groups, blocks, height, width }: MapSizes): Shape {
  return [groups * blocks, height, width, block * block]
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
    const sizes = emission.sizes(x)
    const pooled = emission.sizes(y)
    const shape = spatialShape(emission, sizes)
    const pooledShape = spatialShape(emission, pooled)
    const maxima = poolAxis(
      emission,
      'MaxPool',
      emission.maps(x),
      columnView(emission, sizes),
      1,
      node.attributes,
    )
    const spread = emitMaxGradients(e, {
      x: e.reshape(emission.maps(x), shape),
      shape,
      rowMaxima: e.reshape(maxima, [shape[0]!, shape[1]!, pooledShape[2]!, shape[3]!]),
      y: e.reshape(emission.maps(y), pooledShape),
      dy: e.reshape(emission.maps(dy), pooledShape),
      pooled: pooledShape,
      axes: [1, 2],
      attributes: node.attributes,
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
    const { n, groups, channels, blocks, height, width } = emission.sizes(x)
    const view = e.reshape(emission.maps(x), [groups * blocks, height * width, block * block])
    const means = e.reshape(emitReduce(e, 'ReduceMean', view, [1], false), [groups, blocks, block, block])
    const samples = e.reshape(e.transpose(means, [0, 2, 1, 3]), [groups * block, channels])
    const real =
      n === groups * block
        ? samples
        : e.emit('Slice', [samples, e.integers([0]), e.integers([n]), e.integers([0])])
    emission.definePlain(output, e.reshape(real, [n, channels, 1, 1]))
    return true
  },

  /** The gradient of an average over the map: one number for each sample and channel, at every position. */
  Expand: (emission, node) => {
    const x = node.inputs[0]!
    const output = node.outputs[0]!
    const { n, groups, channels, blocks, height, width } = emission.sizes(output)
    const expected = [n, channels, 1, 1]
    if (!emission.isMap(output) || emission.shape(x).join() !== expected.join()) return false
    const { e, block } = emission
    const samples = e.reshape(emission.plain(x), [n, channels])
    const padding = groups * block - n
    const padded =
      padding === 0 ? samples : e.emit('Pad', [samples, e.integers([0, 0, padding, 0]), e.scalar(0)])
    const split = e.transpose(e.reshape(padded, [groups, block, blocks, block]), [0, 2, 1, 3])
    const tiles = e.reshape(split, [groups * blocks, 1, block * block])
    const spread = e.emit('Expand', [tiles, e.integers([groups * blocks, height * width, block * block])])
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
