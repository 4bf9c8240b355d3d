/** Slices and pads of blocked maps: in H and W as they lie, in C as a convolution with a constant of zeros and ones. */
import type { Shape } from '../../core/index.ts'
import type { BlockedEmission, BlockedRules, MapSizes } from './blocked-emission.ts'

/** [N/s·C/b, H, W, s·b] */
function spatial(
  { e, block }: BlockedEmission,
  x: string,
  { samples, groups, blocks, height, width }: MapSizes,
): string {
  return e.reshape(x, [groups * blocks, height, width, samples * block])
}

/** Channel o of the result is channel o + offset of the input, or zero where there is none. */
function selectChannels(
  emission: BlockedEmission,
  x: string,
  sizes: MapSizes,
  channels: number,
  offset: number,
): string {
  if (channels === sizes.channels && offset === 0) return x
  const { block, e } = emission
  const weights = new Float32Array(channels * sizes.channels)
  for (let o = 0; o < channels; o++) {
    const c = o + offset
    if (c < 0 || c >= sizes.channels) continue
    const tile = Math.floor(o / block) * sizes.blocks + Math.floor(c / block)
    weights[(tile * block + (c % block)) * block + (o % block)] = 1
  }
  return emission.conv(x, e.floats(weights, [channels, sizes.channels, 1, 1]), { kernel: [1, 1] })
}

interface Range {
  readonly start: number
  readonly step: number
}

/** Start and step of each axis of a slice. */
function rangesOf(
  shape: Shape,
  { starts, axes, steps }: { starts: readonly number[]; axes: readonly number[]; steps: readonly number[] },
): Range[] {
  const ranges = shape.map(() => ({ start: 0, step: 1 }))
  axes.forEach((axis, index) => {
    const at = axis < 0 ? axis + shape.length : axis
    const size = shape[at]!
    const start = starts[index]!
    ranges[at] = { start: Math.min(Math.max(start < 0 ? start + size : start, 0), size), step: steps[index]! }
  })
  return ranges
}

export const moves = {
  Slice: (emission, node) => {
    const x = node.inputs[0]!
    const output = node.outputs[0]!
    if (!emission.isMap(x) || !emission.isMap(output)) return false
    const [batch, channel, row, column] = rangesOf(emission.shape(x), node.attributes) as [
      Range,
      Range,
      Range,
      Range,
    ]
    const sizes = emission.sizes(x)
    const sliced = emission.sizes(output)
    if (sliced.n !== sizes.n || batch.step > 1 || channel.step > 1) return false
    const { e } = emission
    const isWhole =
      sliced.height === sizes.height && sliced.width === sizes.width && row.step * column.step === 1
    const kept = isWhole
      ? emission.maps(x)
      : e.reshape(
          e.emit('Slice', [
            spatial(emission, emission.maps(x), sizes),
            e.integers([row.start, column.start]),
            e.integers([
              row.start + (sliced.height - 1) * row.step + 1,
              column.start + (sliced.width - 1) * column.step + 1,
            ]),
            e.integers([1, 2]),
            e.integers([row.step, column.step]),
          ]),
          emission.mapShape({ ...sizes, height: sliced.height, width: sliced.width }),
        )
    const isZero = emission.isZeroTailed(emission.maps(x), sizes.n)
    emission.defineMaps(output, selectChannels(emission, kept, sizes, sliced.channels, channel.start), isZero)
    return true
  },

  SliceGradient: (emission, node) => {
    const dy = node.inputs[0]!
    const output = node.outputs[0]!
    if (!emission.isMap(dy) || !emission.isMap(output)) return false
    const [batch, channel, row, column] = rangesOf(node.attributes.inputShape, node.attributes) as [
      Range,
      Range,
      Range,
      Range,
    ]
    const sizes = emission.sizes(dy)
    const whole = emission.sizes(output)
    if (whole.n !== sizes.n || batch.step > 1 || channel.step > 1) return false
    const { e, block } = emission
    const { samples, groups } = sizes
    const gradient = selectChannels(emission, emission.maps(dy), sizes, whole.channels, -channel.start)
    const tile = samples * block
    const outer = groups * whole.blocks
    const steps = [row.step, column.step] as const
    const split = e.reshape(gradient, [outer, sizes.height, 1, sizes.width, 1, tile])
    const spread =
      steps[0] * steps[1] === 1
        ? split
        : e.emit('Pad', [
            split,
            e.integers([0, 0, 0, 0, 0, 0, 0, 0, steps[0] - 1, 0, steps[1] - 1, 0]),
            e.scalar(0),
          ])
    const length = [sizes.height * steps[0], sizes.width * steps[1]] as const
    const placed = e.reshape(spread, [outer, ...length, tile])
    const after = [whole.height - row.start - length[0], whole.width - column.start - length[1]] as const
    const pads = [0, row.start, column.start, 0, 0, ...after, 0]
    const fitted = pads.every(pad => pad === 0)
      ? placed
      : e.emit('Pad', [placed, e.integers(pads), e.scalar(0)])
    const isZero = emission.isZeroTailed(emission.maps(dy), sizes.n)
    emission.defineMaps(output, e.reshape(fitted, emission.mapShape(whole)), isZero)
    return true
  },

  Pad: (emission, node) => {
    const x = node.inputs[0]!
    const output = node.outputs[0]!
    const { pads, value } = node.attributes
    if (!emission.isMap(x) || !emission.isMap(output)) return false
    if (value !== 0 || pads[0] !== 0 || pads[4] !== 0) return false
    const { e } = emission
    const sizes = emission.sizes(x)
    const padded = emission.sizes(output)
    const [, before, top, left, , , bottom, right] = pads as readonly number[] as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    const selected = selectChannels(emission, emission.maps(x), sizes, padded.channels, -before)
    const around = [0, top, left, 0, 0, bottom, right, 0]
    const placed = around.every(pad => pad === 0)
      ? selected
      : e.reshape(
          e.emit('Pad', [
            spatial(emission, selected, { ...sizes, blocks: padded.blocks }),
            e.integers(around),
            e.scalar(0),
          ]),
          emission.mapShape(padded),
        )
    emission.defineMaps(output, placed, emission.isZeroTailed(emission.maps(x), sizes.n))
    return true
  },
} satisfies BlockedRules
