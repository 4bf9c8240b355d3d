/** Batch normalization of blocked maps: sums by pooling and depthwise convolution, the rest by depthwise 1 × 1. */
import { sizeOf } from '../../core/index.ts'
import type { BlockedEmission, BlockedNode, BlockedRules, ConvCall, MapSizes } from './blocked-emission.ts'
import { addendsOf, emitChannelDots, emitChannelMeans } from './channel-sums.ts'

/** scale·x + shift for each channel; both [C]. */
export function emitAffine(
  emission: BlockedEmission,
  x: string,
  scale: string,
  shift: string | undefined,
  { channels }: MapSizes,
  epilogue: Pick<ConvCall, 'sum' | 'relu'> = {},
): string {
  return emission.conv(x, emission.e.reshape(scale, [channels, 1, 1, 1]), {
    kernel: [1, 1],
    groups: channels,
    bias: shift,
    ...epilogue,
  })
}

/** What is left of a normalization when its statistics are known: y = scale·x + shift. */
export interface Affine {
  readonly x: string
  readonly scale: string
  readonly shift: string
  readonly sizes: MapSizes
}

/** Statistics and the affine map they lead to; defines all outputs of the node but y. */
export function emitStatistics(
  emission: BlockedEmission,
  node: BlockedNode<'BatchNormalizationTraining'>,
): Affine {
  const { e } = emission
  const [x, scale, bias] = node.inputs as readonly [string, string, string]
  const [, mean, variance, inverseStd] = node.outputs as readonly [string, string, string, string]
  const sizes = emission.sizes(x)
  const source = emission.zeroTailed(emission.maps(x), sizes)
  emission.definePlain(mean, emitChannelMeans(emission, source, sizes))
  const m = emission.plain(mean)
  const squares = emitChannelDots(emission, source, source, sizes)
  const meanSquare = e.emit('Mul', [squares, e.scalar(1 / addendsOf(sizes))])
  // As a difference, in one pass: relative error about 1e-7·(1 + mean²/variance); rounding must not make it negative.
  const difference = e.emit('Sub', [meanSquare, e.emit('Mul', [m, m])])
  emission.definePlain(variance, e.emit('Relu', [difference]))
  const shifted = e.emit('Add', [emission.plain(variance), e.scalar(node.attributes.epsilon)])
  emission.definePlain(inverseStd, e.emit('Reciprocal', [e.emit('Sqrt', [shifted])]))
  const slope = e.emit('Mul', [emission.plain(scale), emission.plain(inverseStd)])
  return {
    x: emission.maps(x),
    scale: slope,
    shift: e.emit('Sub', [emission.plain(bias), e.emit('Mul', [m, slope])]),
    sizes,
  }
}

/** The affine map of a normalization with running statistics. */
export function emitRunningAffine(
  emission: BlockedEmission,
  node: BlockedNode<'BatchNormalization'>,
): Affine {
  const { e } = emission
  const [x, ...rest] = node.inputs as readonly [string, string, string, string, string]
  const [scale, bias, mean, variance] = rest.map(name => emission.plain(name)) as [
    string,
    string,
    string,
    string,
  ]
  const shifted = e.emit('Add', [variance, e.scalar(node.attributes.epsilon)])
  const slope = e.emit('Div', [scale, e.emit('Sqrt', [shifted])])
  return {
    x: emission.maps(x),
    scale: slope,
    shift: e.emit('Sub', [bias, e.emit('Mul', [mean, slope])]),
    sizes: emission.sizes(x),
  }
}

/** Applies the affine map, with what follows it, as the map of the given name. */
export function emitNormalized(
  emission: BlockedEmission,
  { x, scale, shift, sizes }: Affine,
  output: string,
  epilogue: Pick<ConvCall, 'sum' | 'relu'> = {},
): void {
  const map = emitAffine(emission, x, scale, shift, sizes, epilogue)
  // A summand may be overwritten, so that there is no second time.
  if (epilogue.sum === undefined) emission.cheap.set(map, 4 * sizeOf(emission.mapShape(sizes)))
  emission.defineMaps(output, map, false)
}

/**
 * With means over the batch m₁ = mean(dy), m₂ = mean(dy·x) and dscale/M = (m₂ − mean·m₁)/std:
 * dx = scale/std·dy + (slope·x + offset), slope = −scale/std·dscale/(M·std), offset = −slope·mean − scale/std·m₁.
 */
function emitGradient(emission: BlockedEmission, node: BlockedNode<'BatchNormalizationGradient'>): boolean {
  const [xName, dyName, ...statistics] = node.inputs as readonly [string, string, string, string, string]
  if (!emission.isMap(xName) || !emission.isMap(dyName)) return false
  const { e } = emission
  const [dx, dscale, dbias] = node.outputs as readonly [string, string, string]
  const sizes = emission.sizes(xName)
  const [scale, mean, inverseStd] = statistics.map(name => emission.plain(name)) as [string, string, string]
  const x = emission.maps(xName)
  const dy = emission.zeroTailed(emission.maps(dyName), sizes)
  const count = addendsOf(sizes)
  const meanGradient = emitChannelMeans(emission, dy, sizes)
  const dots = emitChannelDots(emission, dy, x, sizes)
  const meanProduct = e.emit('Mul', [dots, e.scalar(1 / count)])
  const centred = e.emit('Sub', [meanProduct, e.emit('Mul', [mean, meanGradient])])
  const perElement = e.emit('Mul', [centred, inverseStd])
  emission.definePlain(dscale, e.emit('Mul', [perElement, e.scalar(count)]))
  emission.definePlain(dbias, e.emit('Mul', [meanGradient, e.scalar(count)]))
  const factor = e.emit('Mul', [scale, inverseStd])
  const projection = e.emit('Mul', [perElement, inverseStd])
  const slope = e.emit('Neg', [e.emit('Mul', [factor, projection])])
  const inner = e.emit('Sub', [e.emit('Mul', [mean, projection]), meanGradient])
  const offset = e.emit('Mul', [factor, inner])
  const correction = emitAffine(emission, x, slope, offset, sizes)
  const gradient = emitAffine(emission, dy, factor, undefined, sizes, { sum: correction })
  // At once, since everything before this node in the network sums it over the batch.
  emission.defineMaps(dx, emission.zeroTailed(gradient, sizes), true)
  return true
}

export const batchNorm = {
  BatchNormalization: (emission, node) => {
    if (!emission.isMap(node.inputs[0]!)) return false
    emitNormalized(emission, emitRunningAffine(emission, node), node.outputs[0]!)
    return true
  },
  BatchNormalizationTraining: (emission, node) => {
    if (!emission.isMap(node.inputs[0]!)) return false
    emitNormalized(emission, emitStatistics(emission, node), node.outputs[0]!)
    return true
  },
  BatchNormalizationGradient: emitGradient,
} satisfies BlockedRules
