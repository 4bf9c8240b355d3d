import type { PoolAttributes } from '../../operators.ts'
import type { ReferenceKernel, View } from './kernel.ts'

/** Folds the values of each window that lie inside the input, then turns their result and count into an output. */
function slideWindows(
  { kernel, strides, pads }: PoolAttributes,
  x: View, // [N, C, H, W]
  output: View, // [N, C, H', W']
  initial: number,
  fold: (result: number, value: number) => number,
  finish: (result: number, count: number) => number,
): void {
  const [, , height, width] = x.shape as readonly [number, number, number, number]
  const [batch, channels, outHeight, outWidth] = output.shape as readonly [number, number, number, number]
  let position = 0
  for (let plane = 0; plane < batch * channels; plane++) {
    for (let oy = 0; oy < outHeight; oy++) {
      const y = oy * strides[0] - pads[0]
      const [top, bottom] = [Math.max(y, 0), Math.min(y + kernel[0], height)]
      for (let ox = 0; ox < outWidth; ox++) {
        const xx = ox * strides[1] - pads[1]
        const [left, right] = [Math.max(xx, 0), Math.min(xx + kernel[1], width)]
        let result = initial
        for (let row = top; row < bottom; row++) {
          const start = (plane * height + row) * width
          for (let column = left; column < right; column++) result = fold(result, x.data[start + column]!)
        }
        output.data[position++] = finish(result, (bottom - top) * (right - left))
      }
    }
  }
}

/** x [N, C, H, W] → [N, C, H', W'] */
export const maxPool: ReferenceKernel<'MaxPool'> = (attributes, [x], output) =>
  slideWindows(
    attributes,
    x!,
    output,
    -Infinity,
    (best, value) => (value > best ? value : best),
    best => best,
  )

/** x [N, C, H, W] → [N, C, H', W'] */
export const averagePool: ReferenceKernel<'AveragePool'> = (attributes, [x], output) => {
  const area = attributes.kernel[0] * attributes.kernel[1]
  slideWindows(
    attributes,
    x!,
    output,
    0,
    (sum, value) => sum + value,
    (sum, count) => sum / (attributes.countIncludePad ? area : count),
  )
}
