import type { PoolAttributes } from '../../operators.ts'
import type { ReferenceKernel, View } from './kernel.ts'

/** Calls `visit` with each window's values inside the input, and stores what it returns. */
function slideWindows(
  { kernel, strides, pads }: PoolAttributes,
  x: View, // [N, C, H, W]
  output: View, // [N, C, H', W']
  reduce: (data: Float32Array, indices: Int32Array, count: number) => number,
): void {
  const [, , height, width] = x.shape as readonly [number, number, number, number]
  const [batch, channels, outHeight, outWidth] = output.shape as readonly [number, number, number, number]
  const indices = new Int32Array(Math.min(kernel[0], height) * Math.min(kernel[1], width))
  let position = 0
  for (let plane = 0; plane < batch * channels; plane++) {
    for (let oy = 0; oy < outHeight; oy++) {
      const top = oy * strides[0] - pads[0]
      for (let ox = 0; ox < outWidth; ox++) {
        const left = ox * strides[1] - pads[1]
        let count = 0
        for (let y = Math.max(top, 0); y < Math.min(top + kernel[0], height); y++) {
          for (let xx = Math.max(left, 0); xx < Math.min(left + kernel[1], width); xx++) {
            indices[count++] = (plane * height + y) * width + xx
          }
        }
        output.data[position++] = reduce(x.data, indices, count)
      }
    }
  }
}

/** x [N, C, H, W] → [N, C, H', W'] */
export const maxPool: ReferenceKernel<'MaxPool'> = (attributes, [x], output) =>
  slideWindows(attributes, x!, output, (data, indices, count) => {
    let best = -Infinity
    for (let i = 0; i < count; i++) {
      const value = data[indices[i]!]!
      if (value > best) best = value
    }
    return best
  })

/** x [N, C, H, W] → [N, C, H', W'] */
export const averagePool: ReferenceKernel<'AveragePool'> = (attributes, [x], output) =>
  slideWindows(attributes, x!, output, (data, indices, count) => {
    let sum = 0
    for (let i = 0; i < count; i++) sum += data[indices[i]!]!
    return sum / (attributes.countIncludePad ? attributes.kernel[0] * attributes.kernel[1] : count)
  })
