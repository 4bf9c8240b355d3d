/** Functions of one number. */

import { f64x2 } from '../../../assembler/doubles.ts'
import {
  advance,
  type Code,
  f32x4,
  get,
  i32,
  type Local,
  repeatWhile,
  set,
  v128,
} from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type ValueType, type WasmFunction } from '../../../assembler/module.ts'
import type { MapFunction } from '../../../plan/general/kernel.ts'
import { exponential, leastExponent } from './exponential.ts'

/** Call with (output, end of output, input). Hard ones are rounded once, as in the reference kernels. */
export function emitMap(name: string, mapped: MapFunction): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32'], (parameters, local) => {
    const [output, end, input] = parameters as Locals<3>
    const x = local('v128')
    const { prepare, value } = functionOf(mapped, x, local)
    return repeatWhile(i32.lessThan(get(output), get(end)), [
      set(x, f32x4.load(get(input))),
      prepare,
      f32x4.store(get(output), value),
      [output, input].map(pointer => advance(pointer, i32.const(16))),
    ])
  })
}

interface Computed {
  readonly prepare: Code
  readonly value: Code
}

function functionOf(mapped: MapFunction, x: Local, local: (type: ValueType) => Local): Computed {
  switch (mapped.op) {
    case 'Sigmoid':
      return sigmoid(x, local)
    case 'Tanh':
      return hyperbolicTangent(x, local)
    case 'HardSigmoid': {
      const { alpha, beta } = mapped
      return inDoubles(x, half => unit(f64x2.add(f64x2.mul(f64x2.splat(alpha), half), f64x2.splat(beta))))
    }
    case 'HardSwish':
      return inDoubles(x, half =>
        f64x2.mul(half, unit(f64x2.add(f64x2.div(half, f64x2.splat(6)), f64x2.splat(0.5)))),
      )
    default:
      return mapped satisfies never
  }
}

const inDoubles = (x: Local, compute: (half: Code) => Code): Computed => ({
  prepare: [],
  value: f64x2.toFloats(compute(f64x2.ofLow(get(x))), compute(f64x2.ofHigh(get(x)))),
})

/** Inside 0 and 1. */
const unit = (value: Code): Code => f64x2.smaller(f64x2.larger(value, f64x2.splat(0)), f64x2.splat(1))

const sign = f32x4.splat(-0)
const one = f32x4.splat(1)

/** With e = e^−|x|, 1 / (1 + e) or, of a negative number, e / (1 + e): neither overflows nor loses digits. */
function sigmoid(x: Local, local: (type: ValueType) => Local): Computed {
  const power = exponential(local)
  const e = local('v128')
  return {
    prepare: [power.split(v128.or(get(x), sign), leastExponent), set(e, power.value)],
    value: f32x4.div(
      v128.choose(get(e), one, f32x4.lessThan(get(x), f32x4.splat(0))),
      f32x4.add(one, get(e)),
    ),
  }
}

/** From here on 1 − e^x rounds to 1. */
const leastDifference = -30

/** With d = 1 − e^−2|x|, d / (2 − d) and the sign of x; d is exact to its last digits near 0. */
function hyperbolicTangent(x: Local, local: (type: ValueType) => Local): Computed {
  const power = exponential(local)
  const d = local('v128')
  return {
    prepare: [
      power.split(f32x4.mul(v128.or(get(x), sign), f32x4.splat(2)), leastDifference),
      set(d, f32x4.sub(f32x4.sub(one, power.power), f32x4.mul(power.power, power.fraction))),
    ],
    value: v128.or(f32x4.div(get(d), f32x4.sub(f32x4.splat(2), get(d))), v128.and(get(x), sign)),
  }
}
