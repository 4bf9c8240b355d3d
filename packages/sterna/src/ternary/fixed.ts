/**
 * Weights that are ternary already keep their assignment; their magnitudes learn on. A fine-tune of biases, batch norm,
 * float layers and magnitudes that changes neither the zeros nor what the weights take in a file.
 */
import { f32, type Tensor } from '../core/index.ts'
import { asMatrix, asShape, smallestThreshold } from './passes.ts'
import type { Quantizer } from './types.ts'

const optimiser = {
  optimiser: 'adam',
  state: { learningRate: 1e-5, weightDecay: 0 },
  rest: { learningRate: 1e-4, weightDecay: 0 },
} as const

/**
 * The latent weight stays as it is and only its signs count; what is not above 8e-31 in size counts as 0. State: `positive` and `negative`, w_p and w_n, [1, 1] where
 * a layer has two magnitudes and [O, 1] where each filter has its own.
 */
export function createFixed(): Quantizer {
  return {
    method: 'fixed',
    options: {},
    defaultLayers: 'all',
    roles: { positive: 'magnitude', negative: 'magnitude' },
    optimiser,
    init(latent) {
      const whole = sideMeans(latent.data)
      const isWhole = latent.data.every(weight => isLevel(weight, whole))
      const rows = isWhole ? 1 : (latent.shape[0] ?? 1)
      const size = latent.data.length / rows
      const sides = Array.from({ length: rows }, (_, row) =>
        sideMeans(latent.data.subarray(row * size, (row + 1) * size)),
      )
      return {
        positive: f32(
          [rows, 1],
          sides.map(([positive]) => positive),
        ),
        negative: f32(
          [rows, 1],
          sides.map(([, negative]) => negative),
        ),
      }
    },
    forward(b, latent, { positive, negative }) {
      const matrix = asMatrix(b, latent)
      const [plus, minus] = [matrix, b.neg(matrix)].map(side => b.isPositive(b.sub(side, smallestThreshold)))
      const weight = b.sub(b.mul(plus!, positive!), b.mul(minus!, negative!))
      return { weight: asShape(b, weight, latent.shape), saved: { plus: plus!, minus: minus! } }
    },
    backward(b, gradient, _latent, { positive }, { saved: { plus, minus } }) {
      const matrix = asMatrix(b, gradient)
      const axes = positive!.shape[0] === 1 ? [0, 1] : [1]
      return {
        state: {
          positive: b.sum(b.mul(matrix, plus!), axes, true),
          negative: b.neg(b.sum(b.mul(matrix, minus!), axes, true)),
        },
      }
    },
    constrain: (b, _latent, { positive, negative }) => ({
      state: { positive: b.max(positive!, 0), negative: b.max(negative!, 0) },
    }),
    assign: ({ shape, data }, { positive, negative }) => ({
      shape,
      assignment: Int8Array.from(data, signOf),
      positive: positive!.data.slice(),
      negative: negative!.data.slice(),
    }),
  }
}

function signOf(weight: number): number {
  return Math.abs(weight) > smallestThreshold ? Math.sign(weight) : 0
}

/** The mean of the weights above 0 and of those below without their sign; 0 where there are none. */
function sideMeans(weights: Tensor<'f32'>['data']): readonly [positive: number, negative: number] {
  const sums = [0, 0]
  const counts = [0, 0]
  for (const weight of weights) {
    const sign = signOf(weight)
    if (sign === 0) continue
    const side = sign < 0 ? 1 : 0
    sums[side]! += Math.abs(weight)
    counts[side]!++
  }
  const [positive, negative] = sums.map((sum, side) => Math.fround(sum / Math.max(1, counts[side]!)))
  return [positive!, negative!]
}

function isLevel(weight: number, [positive, negative]: readonly [number, number]): boolean {
  return signOf(weight) === 0 || weight === positive || weight === -negative
}
