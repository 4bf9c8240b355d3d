/**
 * One axis of a strided convolution as a convolution of stride 1. With input position i = stride·j + r, every phase r
 * becomes channels of its own; kernel position a of the layer meets x[o·stride + a − before], which is element
 * o + t of phase r with a − before = stride·t + r.
 */
export interface AxisPhases {
  readonly stride: number
  /** The phases that become channels: all of them, or the only one that the kernel meets. */
  readonly phases: readonly number[]
  /** Positions of the stride-1 kernel. */
  readonly kernel: number
  readonly dilation: number
  /** Padding of the stride-1 convolution, in its own positions. */
  readonly before: number
  readonly after: number
  /** Positions of a phase; the input is cropped or padded to stride × length. */
  readonly length: number
  /** [phase index][stride-1 kernel position]: the position in the layer's kernel, −1 where it has none. */
  readonly taps: readonly (readonly number[])[]
}

interface Axis {
  readonly size: number
  readonly kernel: number
  readonly stride: number
  readonly dilation: number
  readonly before: number
  readonly output: number
}

/** Undefined for a dilated and strided axis. */
export function axisPhases({ size, kernel, stride, dilation, before, output }: Axis): AxisPhases | undefined {
  if (stride > 1 && dilation > 1) return undefined
  if (stride === 1) {
    const after = output - size - before + (kernel - 1) * dilation
    const taps = [Array.from({ length: kernel }, (_, position) => position)]
    return { stride, phases: [0], kernel, dilation, before, after, length: size, taps }
  }
  const first = Math.floor(-before / stride)
  const last = Math.floor((kernel - 1 - before) / stride)
  const length = Math.ceil(size / stride)
  const span = last - first + 1
  const after = output - length + first + span - 1
  const tapAt = (phase: number, t: number) => {
    const position = stride * (first + t) + phase + before
    return position >= 0 && position < kernel ? position : -1
  }
  const all = Array.from({ length: stride }, (_, phase) => phase)
  const positions = Array.from({ length: span }, (_, t) => t)
  const met = all.filter(phase => positions.some(t => tapAt(phase, t) >= 0))
  const phases = met.length === 1 ? met : all
  return {
    stride,
    phases,
    kernel: span,
    dilation: 1,
    before: -first,
    after: Math.max(after, 0),
    length: length + Math.min(after, 0),
    taps: phases.map(phase => positions.map(t => tapAt(phase, t))),
  }
}
