/**
 * How the bytes of a feature map lie in memory so that every tap of a convolution reads whole vectors.
 *
 * A channel is a row of *planes*, each with the rows of the outputs and exactly their width: plane t holds at (y, x) the
 * byte at column x + t of the map (or x·stride + t), zero where that is outside. Output number i = y·width + x then reads
 * its tap (ky, kx) at a constant distance from i, so a map is one long vector whatever its width, and no lane is wasted
 * at the end of a row. Rows of zero above and below serve the taps that leave the map there.
 */

import type { Window } from '../numbers/window.ts'
import type { Shape } from '../shape.ts'

export interface ByteLayout {
  readonly channels: number
  /** Of each plane, without the rows of zero. */
  readonly height: number
  readonly width: number
  /** Input columns and rows from one position of a plane to the next. */
  readonly strides: readonly [number, number]
  /** Row phases: plane rows y hold the map's rows y · stride + phase. */
  readonly phases: readonly number[]
  /** Column taps: plane columns x hold the map's columns x · stride + tap. */
  readonly taps: readonly number[]
  /** Rows of zero. */
  readonly above: number
  readonly below: number
  /** Bytes from a plane's beginning to its first row. */
  readonly front: number
  readonly planeBytes: number
  readonly channelBytes: number
  /** All channels, and behind them one plane of bytes 0. */
  readonly bytes: number
}

const align16 = (bytes: number): number => Math.ceil(bytes / 16) * 16

/** Of a tile's time for a vector: walking lists for four vectors at a time saves so much. */
const fourVectorsTime = 0.88

/** Vectors of 16 bytes that one pass over the filters computes. */
export function tileVectors(pixels: number): number {
  if (pixels <= 16) return 1
  const time = (vectors: number): number => vectors * Math.ceil(pixels / (16 * vectors))
  return fourVectorsTime * time(4) < time(2) ? 4 : 2
}

/** Pixels of a map, rounded up to whole tiles: what a kernel writes. */
export function tiledPixels(pixels: number): number {
  const tile = 16 * tileVectors(pixels)
  return Math.ceil(pixels / tile) * tile
}

type Geometry = Pick<
  ByteLayout,
  'channels' | 'height' | 'width' | 'strides' | 'phases' | 'taps' | 'above' | 'below'
>

function complete(geometry: Geometry): ByteLayout {
  const { channels, height, width, phases, taps, above, below } = geometry
  // A shifted plane is written up to its shift before and behind its rows.
  const reach = Math.max(...taps.map(Math.abs))
  const front = align16(Math.max(above * width, reach))
  const planeBytes = align16(front + tiledPixels(height * width) + Math.max(below * width, reach))
  const channelBytes = phases.length * taps.length * planeBytes
  return { ...geometry, front, planeBytes, channelBytes, bytes: channels * channelBytes + planeBytes }
}

/** A value as it is: one plane a channel. Values that are no feature maps are one channel of one row. */
export function plainLayout(shape: Shape): ByteLayout {
  const [channels, height, width] =
    shape.length === 4
      ? [shape[0]! * shape[1]!, shape[2]!, shape[3]!]
      : [1, 1, shape.reduce((size, dimension) => size * dimension, 1)]
  return complete({
    channels,
    height,
    width,
    strides: [1, 1],
    phases: [0],
    taps: [0],
    above: 0,
    below: 0,
  })
}

/** A plain layout with the planes and rows of zero that these windows read; each keeps the map's size. */
export function layoutFor(plain: ByteLayout, windows: readonly Window[]): ByteLayout {
  const rows = windows.flatMap(window => rowTaps(window))
  const columns = windows.flatMap(window => columnTaps(window))
  return complete({
    ...plain,
    taps: [0, ...new Set(columns.filter(tap => tap !== 0))],
    above: Math.max(0, ...rows.map(tap => -tap)),
    below: Math.max(0, ...rows),
  })
}

/** The layout in which a window of any stride reads a map of this output size. */
export function spreadLayout(window: Window, channels: number, output: Shape): ByteLayout {
  const [stride] = window.strides
  const rows = rowTaps(window)
  return complete({
    channels,
    height: output[2]!,
    width: output[3]!,
    strides: window.strides,
    phases: [...new Set(rows.map(tap => modulo(tap, stride)))],
    taps: [...new Set(columnTaps(window))],
    above: Math.max(0, ...rows.map(tap => -Math.floor(tap / stride))),
    below: Math.max(0, ...rows.map(tap => Math.floor(tap / stride))),
  })
}

/** Bytes from output 0's place to what it reads under the window's position (ky, kx) of a channel. */
export function offsetOf(
  layout: ByteLayout,
  { dilations, pads }: Window,
  channel: number,
  ky: number,
  kx: number,
): number {
  const [stride] = layout.strides
  const row = ky * dilations[0] - pads[0]
  const plane =
    layout.phases.indexOf(modulo(row, stride)) * layout.taps.length +
    layout.taps.indexOf(kx * dilations[1] - pads[1])
  const start = channel * layout.channelBytes + plane * layout.planeBytes + layout.front
  return start + Math.floor(row / stride) * layout.width
}

/** Whether a window reads a map of its output's size, position by position. */
export const keepsSize = (window: Window, input: Shape, output: Shape): boolean =>
  window.strides[0] === 1 && window.strides[1] === 1 && input[2] === output[2] && input[3] === output[3]

/** One rectangle of a plane and where in the plain map it comes from. */
export interface PlaneCopy {
  readonly source: { readonly row: number; readonly column: number }
  /** Bytes from the channel's beginning. */
  readonly target: number
  readonly rows: number
  readonly columns: number
}

/** What to copy, channel by channel, to spread a plain map over a layout; all else is zero. */
export function planeCopies(layout: ByteLayout, height: number, width: number): PlaneCopy[] {
  const [rowStride, columnStride] = layout.strides
  return layout.phases.flatMap((phase, phaseIndex) =>
    layout.taps.flatMap((tap, tapIndex) => {
      const rows = inside(-layout.above, layout.height + layout.below, rowStride, phase, height)
      const columns = inside(0, layout.width, columnStride, tap, width)
      if (rows.count <= 0 || columns.count <= 0) return []
      const plane = (phaseIndex * layout.taps.length + tapIndex) * layout.planeBytes
      return {
        source: { row: rows.first * rowStride + phase, column: columns.first * columnStride + tap },
        target: plane + layout.front + rows.first * layout.width + columns.first,
        rows: rows.count,
        columns: columns.count,
      }
    }),
  )
}

/** Which i of first … end − 1 have i · stride + tap inside 0 … size − 1. */
function inside(first: number, end: number, stride: number, tap: number, size: number) {
  const from = Math.max(first, Math.ceil(-tap / stride))
  const to = Math.min(end - 1, Math.floor((size - 1 - tap) / stride))
  return { first: from, count: to - from + 1 }
}

const rowTaps = ({ kernel, dilations, pads }: Window): number[] =>
  Array.from({ length: kernel[0] }, (_, k) => k * dilations[0] - pads[0])

const columnTaps = ({ kernel, dilations, pads }: Window): number[] =>
  Array.from({ length: kernel[1] }, (_, k) => k * dilations[1] - pads[1])

const modulo = (a: number, b: number): number => ((a % b) + b) % b

/** Whether some of what a kernel writes, a tile or a shift too far, has to be zero instead. */
export const needsMasks = ({ taps, below, height, width }: ByteLayout): boolean =>
  taps.length > 1 || (below > 0 && tiledPixels(height * width) > height * width)

/** Layouts with the same key have the same masks. */
export const maskKey = ({ height, width, taps }: ByteLayout): string => `${height} ${width} ${taps}`

/** A mask for each tap. */
export const maskBytes = ({ height, width, taps }: ByteLayout): number =>
  taps.length * tiledPixels(height * width)

/** Ones where a pixel, written at its place less the tap, lands in its own row. */
export function fillMasks({ height, width, taps }: ByteLayout, masks: Uint8Array): void {
  const step = tiledPixels(height * width)
  for (let index = 0; index < taps.length; index++) {
    const tap = taps[index]!
    const [from, end] = [Math.max(0, tap), Math.min(width, width + tap)]
    for (let row = 0; from < end && row < height; row++) {
      const start = index * step + row * width
      masks.fill(0xff, start + from, start + end)
    }
  }
}
