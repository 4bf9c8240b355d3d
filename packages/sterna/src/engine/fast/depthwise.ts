/** The weight gradient of a depthwise convolution: one product of maps for every kernel position. */
import { int } from '../onnx-emitter.ts'
import type { BlockedEmission } from './blocked-emission.ts'
import { emitChannelDots } from './channel-sums.ts'
import type { ConvPlan } from './conv-plan.ts'

/** x and dy as maps -> [C/b, kH·kW, b]. */
export function emitDepthwiseWeightGradient(
  emission: BlockedEmission,
  x: string,
  dy: string,
  plan: ConvPlan,
): string {
  const { e, block } = emission
  const { rows, columns, channels, height, width, outputHeight, outputWidth, kernel } = plan
  const { samples, groups } = plan.samples
  const blocks = channels / block
  const spatial = e.reshape(x, [groups * blocks, height, width, samples * block])
  const pads = [0, rows.before, columns.before, 0, 0, rows.after, columns.after, 0]
  const padded = pads.every(pad => pad === 0)
    ? spatial
    : e.emit('Pad', [spatial, e.integers(pads), e.scalar(0)])
  const sizes = { ...plan.samples, channels, blocks, height: outputHeight, width: outputWidth }
  const parts: string[] = []
  for (let i = 0; i < kernel[0]; i++) {
    for (let j = 0; j < kernel[1]; j++) {
      const window = e.emit('Slice', [
        padded,
        e.integers([i, j]),
        e.integers([i + outputHeight, j + outputWidth]),
        e.integers([1, 2]),
      ])
      parts.push(e.reshape(emitChannelDots(emission, window, dy, sizes), [blocks, 1, block]))
    }
  }
  return parts.length === 1 ? parts[0]! : e.emit('Concat', parts, { axis: int(1) })
}
