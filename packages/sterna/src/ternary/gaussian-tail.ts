/** The mean of a normal distribution beyond a threshold, as graph and in plain arithmetic. */
import { f32 } from '../core/index.ts'
import type { GraphBuilder, Value } from '../graph/index.ts'

/** Nodes of the quadrature; 20 leave a relative error below 1e-10 for thresholds from 0 to 3 standard deviations. */
const nodeCount = 20

/** What lies beyond it is less than 1e-10 of the integral. */
const upperLimit = 6.6

/**
 * Mills ratio (1 − Φ(a)) / φ(a) = ∫₀^∞ exp(−at − t²/2) dt by Gauss–Legendre quadrature: points t and weights
 * including exp(−t²/2). All terms are positive, so nothing cancels, as it does in 1 − Φ(a).
 */
const { points, weights } = quadrature(nodeCount, upperLimit)

/** λ(a) = φ(a) / (1 − Φ(a)) for 0 ≤ a ≤ 3: the mean of the standard normal distribution beyond a. */
export function inverseMills(a: number): number {
  let integral = 0
  for (let i = 0; i < nodeCount; i++) integral += weights[i]! * Math.exp(-a * points[i]!)
  return 1 / integral
}

/** The same for an `a` of one element, as [1]. */
export function inverseMillsOf(b: GraphBuilder, a: Value): Value {
  const exponents = b.mul(
    b.constant(
      f32(
        [nodeCount],
        points.map(point => -point),
      ),
    ),
    a,
  )
  const terms = b.mul(b.exp(exponents), b.constant(f32([nodeCount], weights)))
  return b.reciprocal(b.sum(terms, [0], true))
}

/** Gauss–Legendre on [0, limit]: roots of the Legendre polynomial by Newton's method, from Tricomi's estimate. */
function quadrature(count: number, limit: number) {
  const points: number[] = []
  const weights: number[] = []
  for (let i = 0; i < count; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (count + 0.5))
    let slope = 1
    for (let round = 0; round < 8; round++) {
      let [before, value] = [1, x]
      for (let k = 2; k <= count; k++)
        [before, value] = [value, ((2 * k - 1) * x * value - (k - 1) * before) / k]
      slope = (count * (x * value - before)) / (x * x - 1)
      x -= value / slope
    }
    const t = ((x + 1) * limit) / 2
    points.push(t)
    weights.push((limit * Math.exp((-t * t) / 2)) / ((1 - x * x) * slope * slope))
  }
  return { points, weights }
}
