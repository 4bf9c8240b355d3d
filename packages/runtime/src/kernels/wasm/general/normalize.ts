/** Batch normalization with statistics that are given. */
import { f64, f64x2 } from '../../../assembler/doubles.ts'
import {
  advance,
  type Code,
  f32,
  f32x4,
  get,
  i32,
  type Local,
  repeatWhile,
  set,
} from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../../assembler/module.ts'
import { storeRest } from './store-rest.ts'

/**
 * scale / √(variance + ε) · (x − mean) + bias, rounded once as in the reference kernel. Call with (output, end of output,
 * bytes of a channel, x, scale, bias, mean, variance).
 */
export function emitNormalize(name: string, epsilon: number): WasmFunction {
  return defineFunction(name, new Array(8).fill('i32'), (parameters, local) => {
    const [output, outputEnd, planeBytes, x, ...vectors] = parameters as Locals<8>
    const [scale, bias, mean, variance] = vectors
    const end = local('i32')
    const [factor, shift, centre] = [local('v128'), local('v128'), local('v128')]
    const [values, result] = [local('v128'), local('v128')]
    const number = (pointer: Local): Code => f64.promote(f32.load(get(pointer)))
    const normalize = (half: Code): Code =>
      f64x2.add(f64x2.mul(get(factor), f64x2.sub(half, get(centre))), get(shift))
    return repeatWhile(i32.lessThan(get(output), get(outputEnd)), [
      set(
        factor,
        f64x2.splatOf(f64.div(number(scale), f64.squareRoot(f64.add(number(variance), f64.const(epsilon))))),
      ),
      set(shift, f64x2.splatOf(number(bias))),
      set(centre, f64x2.splatOf(number(mean))),
      set(end, i32.add(get(output), get(planeBytes))),
      repeatWhile(i32.lessThan(get(output), get(end)), [
        set(values, f32x4.load(get(x))),
        set(
          result,
          f64x2.toFloats(normalize(f64x2.ofLow(get(values))), normalize(f64x2.ofHigh(get(values)))),
        ),
        storeRest(output, end, result),
        [output, x].map(pointer => advance(pointer, i32.const(16))),
      ]),
      // Back from the end of the last vector to that of the channel.
      set(x, i32.sub(get(x), i32.sub(get(output), get(end)))),
      set(output, get(end)),
      vectors.map(pointer => advance(pointer, i32.const(4))),
    ])
  })
}
