/**
 * How a sliding window reads its input. Kernels add whole vectors of neighbouring outputs, so for each weight
 * the inputs of neighbouring outputs must be neighbours too. Without padding and stride they are, and the
 * window reads the value in place. Otherwise the input is first copied into padded planes, one plane for each
 * stride phase: output (oy, ox) and weight (ky, kx) meet at row oy·s + ky·d, which is row
 * oy + ⌊ky·d / s⌋ of phase (ky·d) mod s.
 */
import type { Shape } from '../shape.ts'

export interface Window {
  readonly kernel: readonly [number, number]
  readonly strides: readonly [number, number]
  readonly dilations: readonly [number, number]
  /** top, left, bottom, right */
  readonly pads: readonly [number, number, number, number]
}

/** One stride phase of one axis: plane positions first … first + count − 1 lie inside the input. */
interface Phase {
  readonly first: number
  readonly count: number
  /** Input position that lands on `first`. */
  readonly source: number
}

/** Copies rows × columns floats of every plane; all positions in floats. */
export interface PlaneCopy {
  readonly source: number
  readonly target: number
  readonly rows: number
  readonly columns: number
  readonly sourceSteps: readonly [plane: number, row: number, column: number]
  readonly targetSteps: readonly [plane: number, row: number, column: number]
}

export interface WindowLayout {
  /** [H', W'] as the kernel walks it: one long row where rows follow each other without a gap. */
  readonly output: readonly [number, number]
  /** Floats from one row to the next in what the kernel reads. */
  readonly rowStep: number
  /** Floats from the window's first input to the one under weight (channel, ky, kx). */
  offsetOf(channel: number, ky: number, kx: number): number
  /**
   * Planes of sums of neighbours, apart from the padded planes: for each channel one of horizontal sums, then one of
   * vertical ones.
   */
  readonly sums?: { readonly floats: number; readonly planeFloats: number }
  /** Absent where the window reads the value in place. */
  readonly scratch?: {
    /**
     * Layers with the same key may share the space: where both have a channel they write the same places and leave the
     * same border.
     */
    readonly key: string
    readonly floats: number
    /** Planes of each copy: the input's channels. */
    readonly planes: number
    readonly copies: readonly PlaneCopy[]
  }
}

/** Whether neighbouring inputs lie side by side in one padded plane, so that `pairs.ts` applies. */
export const canPair = ({ strides, dilations, pads }: Window): boolean =>
  [...strides, ...dilations].every(step => step === 1) && pads.some(pad => pad > 0)

/**
 * @param input [1, C, H, W]
 * @param output [1, O, H', W']
 * @param paired with sums of neighbours; only where `canPair`
 */
export function layOutWindow(window: Window, input: Shape, output: Shape, paired = false): WindowLayout {
  const [, channels, height, width] = input as readonly [number, number, number, number]
  const [, , outHeight, outWidth] = output as readonly [number, number, number, number]
  const { kernel, strides, dilations, pads } = window
  const vertical = phasesOf(kernel[0], dilations[0], strides[0], pads[0], height, outHeight)
  const horizontal = phasesOf(kernel[1], dilations[1], strides[1], pads[1], width, outWidth)
  const [rows, columns] = [vertical.length, horizontal.length]
  const planeSize = rows * columns
  const channelStep = vertical.phases.size * horizontal.phases.size * planeSize
  // They are written in whole vectors.
  const sumFloats = 4 * Math.ceil(planeSize / 4)
  const gapless = rows === outHeight && columns === outWidth

  const layout: WindowLayout = {
    output: gapless ? [1, outHeight * outWidth] : [outHeight, outWidth],
    rowStep: columns,
    ...(paired && { sums: { floats: 2 * channels * sumFloats, planeFloats: sumFloats } }),
    offsetOf(channel, ky, kx) {
      const y = vertical.at(ky)
      const x = horizontal.at(kx)
      const phase = y.index * horizontal.phases.size + x.index
      return channel * channelStep + phase * planeSize + y.position * columns + x.position
    },
  }
  if (strides[0] === 1 && strides[1] === 1 && pads.every(pad => pad === 0)) return layout

  const copies: PlaneCopy[] = []
  for (const [row, y] of [...vertical.phases.values()].entries()) {
    for (const [column, x] of [...horizontal.phases.values()].entries()) {
      if (y.count === 0 || x.count === 0) continue
      const phase = row * horizontal.phases.size + column
      copies.push({
        source: y.source * width + x.source,
        target: phase * planeSize + y.first * columns + x.first,
        rows: y.count,
        columns: x.count,
        sourceSteps: [height * width, strides[0] * width, strides[1]],
        targetSteps: [channelStep, columns, 1],
      })
    }
  }
  const key = JSON.stringify([channelStep, copies])
  return { ...layout, scratch: { key, floats: channels * channelStep, planes: channels, copies } }
}

/** The phases that one axis of a kernel touches, and where each kernel position reads. */
function phasesOf(
  kernel: number,
  dilation: number,
  stride: number,
  padBefore: number,
  size: number,
  outputSize: number,
): {
  readonly length: number
  readonly phases: ReadonlyMap<number, Phase>
  at(k: number): { readonly index: number; readonly position: number }
} {
  const length = outputSize + Math.floor(((kernel - 1) * dilation) / stride)
  const phases = new Map<number, Phase>()
  const order = new Map<number, number>()
  for (let k = 0; k < Math.min(kernel, stride); k++) {
    const phase = (k * dilation) % stride
    if (phases.has(phase)) continue
    const first = Math.max(0, Math.ceil((padBefore - phase) / stride))
    const last = Math.min(length - 1, Math.floor((size - 1 + padBefore - phase) / stride))
    order.set(phase, phases.size)
    phases.set(phase, {
      first,
      count: Math.max(0, last - first + 1),
      source: first * stride + phase - padBefore,
    })
  }
  return {
    length,
    phases,
    at: k => ({ index: order.get((k * dilation) % stride)!, position: Math.floor((k * dilation) / stride) }),
  }
}
