/**
 * Sums over all axes but the channels of blocked maps. Every sum is made of partial sums of about a thousand numbers,
 * which keeps float32's rounding small and gives all threads work.
 */
import { sizeOf } from '../../core/index.ts'
import { emitReduce } from '../standard/reduction.ts'
import type { BlockedEmission, MapSizes } from './blocked-emission.ts'

const mostAddends = 1024

/** In how many parts of equal size H·W positions of s samples are cut. */
function partsOf({ height, width, samples }: MapSizes): number {
  const positions = height * width
  for (let parts = 1; parts < positions; parts++) {
    if (positions % parts === 0 && (positions / parts) * samples <= mostAddends) return parts
  }
  return positions
}

/** Numbers of one channel in the whole batch, padding left out. */
export function addendsOf({ n, height, width }: MapSizes): number {
  return n * height * width
}

/** The mean of each channel, [C], of a map whose padding is zero: one pass by average pooling. */
export function emitChannelMeans(emission: BlockedEmission, x: string, sizes: MapSizes): string {
  const { e, block } = emission
  const { samples, groups, blocks, height, width, n } = sizes
  const parts = partsOf(sizes)
  const length = (height * width * samples) / parts
  const means = emission.blocked('GlobalAveragePool', [
    e.reshape(x, [groups * blocks * parts, block, 1, length]),
  ])
  const mean = reduceParts(emission, 'ReduceMean', means, sizes, parts)
  const padding = (groups * samples) / n
  return padding === 1 ? mean : e.emit('Mul', [mean, e.scalar(padding)])
}

/** Σ x·y of each channel, [C]: one pass as a depthwise convolution of x whose filter, as large as x, is y. */
export function emitChannelDots(emission: BlockedEmission, x: string, y: string, sizes: MapSizes): string {
  const { e, block } = emission
  const { samples, groups, blocks, height, width } = sizes
  const parts = partsOf(sizes)
  const channels = groups * blocks * parts * block
  const length = (height * width * samples) / parts
  const dots = emission.conv(e.reshape(x, [1, channels, 1, length]), e.reshape(y, [channels, 1, 1, length]), {
    kernel: [1, length],
    groups: channels,
  })
  return reduceParts(emission, 'ReduceSum', dots, sizes, parts)
}

function reduceParts(
  { e, block }: BlockedEmission,
  opType: 'ReduceSum' | 'ReduceMean',
  partial: string,
  { groups, blocks, channels }: MapSizes,
  parts: number,
): string {
  const shape = blocks === 1 ? [groups * parts, block] : [groups, blocks, parts, block]
  if (sizeOf(shape) === channels) return e.reshape(partial, [channels])
  const reduced = emitReduce(e, opType, e.reshape(partial, shape), blocks === 1 ? [0] : [0, 2], false)
  return blocks === 1 ? reduced : e.reshape(reduced, [channels])
}
