import type { ReferenceKernel } from './kernel.ts'

/** x [N, C, …], scale, bias, mean, variance [C] → scale · (x − mean) / √(variance + ε) + bias */
export const batchNormalization: ReferenceKernel<'BatchNormalization'> = ({ epsilon }, inputs, output) => {
  const [x, scale, bias, mean, variance] = inputs
  const [batch, channels] = x!.shape as readonly [number, number]
  const plane = x!.data.length / (batch * channels)
  for (let i = 0; i < x!.data.length; i++) {
    const c = Math.floor(i / plane) % channels
    const factor = scale!.data[c]! / Math.sqrt(variance!.data[c]! + epsilon)
    output.data[i] = factor * (x!.data[i]! - mean!.data[c]!) + bias!.data[c]!
  }
}
