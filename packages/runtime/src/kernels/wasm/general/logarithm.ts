/**
 * ln s for 1 ≤ s ≤ 2^64. With s = 2^k f, f from √½ to √2, and t = (f − 1) / (f + 1), ln s = k ln 2 + 2 (t + t³/3 + t⁵/5 …),
 * of which six terms leave out less than 2^−33.
 */
import { f64x2 } from '../../../assembler/doubles.ts'
import { type Code, f32x4, get, i32, i32x4, type Local, set } from '../../../assembler/instructions.ts'
import type { ValueType } from '../../../assembler/module.ts'

const rootOfHalf = 0x3f3504f3 // as the bits of a float
const terms = 6

/** Replaces two vectors of two doubles by their logarithms; a NaN stays one. */
export function logarithm(sums: readonly [Local, Local], local: (type: ValueType) => Local): Code {
  const [k, power] = [local('v128'), local('v128')]
  const [t, square] = [local('v128'), local('v128')]
  const series = Array.from({ length: terms }, (_, i) => 2 / (2 * i + 1))
  const polynomial = series
    .slice(0, -1)
    .reduceRight<Code>(
      (sum, term) => f64x2.add(f64x2.mul(sum, get(square)), f64x2.splat(term)),
      f64x2.splat(series.at(-1)!),
    )
  const one = f64x2.splat(1)
  return [
    set(k, f64x2.toFloats(get(sums[0]), get(sums[1]))),
    set(k, i32x4.shiftRight(i32x4.sub(get(k), i32x4.splat(i32.const(rootOfHalf))), i32.const(23))),
    set(power, i32x4.shiftLeft(i32x4.sub(i32x4.splat(i32.const(127)), get(k)), i32.const(23))),
    set(k, f32x4.fromIntegers(get(k))),
    sums.map((sum, index) => {
      const half = index === 0 ? f64x2.ofLow : f64x2.ofHigh
      return [
        set(sum, f64x2.mul(get(sum), half(get(power)))),
        set(t, f64x2.div(f64x2.sub(get(sum), one), f64x2.add(get(sum), one))),
        set(square, f64x2.mul(get(t), get(t))),
        set(sum, f64x2.add(f64x2.mul(half(get(k)), f64x2.splat(Math.LN2)), f64x2.mul(get(t), polynomial))),
      ]
    }),
  ]
}
