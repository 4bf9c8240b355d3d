import type { ReferenceKernel } from './kernel.ts'

type Sizes4 = readonly [number, number, number, number]

/** x [N, C, H, W], weight [O, C/groups, kH, kW], bias? [O] → [N, O, H', W'] */
export const conv: ReferenceKernel<'Conv'> = ({ strides, dilations, pads, groups }, inputs, output) => {
  const [x, weight, bias] = inputs
  const [, channels, height, width] = x!.shape as Sizes4
  const [batch, filters, outHeight, outWidth] = output.shape as Sizes4
  const [, depth, kernelHeight, kernelWidth] = weight!.shape as Sizes4
  const filtersPerGroup = filters / groups
  let position = 0
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < filters; o++) {
      const firstChannel = Math.floor(o / filtersPerGroup) * depth
      for (let oy = 0; oy < outHeight; oy++) {
        for (let ox = 0; ox < outWidth; ox++) {
          let sum = bias === undefined ? 0 : bias.data[o]!
          for (let c = 0; c < depth; c++) {
            const plane = (n * channels + firstChannel + c) * height
            for (let ky = 0; ky < kernelHeight; ky++) {
              const y = oy * strides[0] + ky * dilations[0] - pads[0]
              if (y < 0 || y >= height) continue
              const row = (plane + y) * width
              const weightRow = ((o * depth + c) * kernelHeight + ky) * kernelWidth
              for (let kx = 0; kx < kernelWidth; kx++) {
                const xx = ox * strides[1] + kx * dilations[1] - pads[1]
                if (xx < 0 || xx >= width) continue
                sum += x!.data[row + xx]! * weight!.data[weightRow + kx]!
              }
            }
          }
          output.data[position++] = sum
        }
      }
    }
  }
}
