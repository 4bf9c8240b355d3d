import type { PackedTensor } from '../file/types.ts'

/** A tensor's weights as float32, row-major: assignment × magnitude where it is ternary. */
export function widenTensor(tensor: PackedTensor): Float32Array {
  if (tensor.kind === 'dense') return tensor.data
  const { assignment, positive, negative } = tensor
  const filterSize = assignment.length / (tensor.shape[0] ?? 1)
  const weights = new Float32Array(assignment.length)
  for (let i = 0; i < weights.length; i++) {
    const filter = positive.length === 1 && negative.length === 1 ? 0 : Math.floor(i / filterSize)
    const sign = assignment[i]!
    if (sign > 0) weights[i] = positive[filter % positive.length]!
    else if (sign < 0) weights[i] = -negative[filter % negative.length]!
  }
  return weights
}
