/** Products of matrices, in doubles as in the reference kernels. */
import { f64, f64x2 } from '../../../assembler/doubles.ts'
import { advance, type Code, f32, get, i32, repeatWhile, set } from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../../assembler/module.ts'
import { storeRest } from './store-rest.ts'

export interface ProductSpec {
  readonly alpha: number
  /** Of what the output holds before; undefined where that is not added. */
  readonly beta: number | undefined
}

/**
 * alpha · a · b + beta · output. Call with (output, end of output, bytes of a row of b and of the output, inner size, a,
 * its row step, its column step, b).
 */
export function emitProduct(name: string, { alpha, beta }: ProductSpec): WasmFunction {
  return defineFunction(name, new Array(8).fill('i32'), (parameters, local) => {
    const [output, outputEnd, rowBytes, inner, a, aRow, aColumn, b] = parameters as Locals<8>
    const [end, column, left] = [local('i32'), local('i32'), local('i32')]
    const [fromA, fromB] = [local('i32'), local('i32')]
    const sums = [local('v128'), local('v128')]
    const [factor, result] = [local('v128'), local('v128')]
    const finish = (half: number): Code => {
      const product = f64x2.mul(f64x2.splat(alpha), get(sums[half]!))
      if (beta === undefined) return product
      return f64x2.add(product, f64x2.mul(f64x2.splat(beta), f64x2.loadFloats(get(output), 8 * half)))
    }
    return repeatWhile(i32.lessThan(get(output), get(outputEnd)), [
      set(end, i32.add(get(output), get(rowBytes))),
      set(column, get(b)),
      repeatWhile(i32.lessThan(get(output), get(end)), [
        set(fromA, get(a)),
        set(fromB, get(column)),
        set(left, get(inner)),
        sums.map(sum => set(sum, f64x2.splat(0))),
        repeatWhile(get(left), [
          set(factor, f64x2.splatOf(f64.promote(f32.load(get(fromA))))),
          sums.map((sum, half) =>
            set(sum, f64x2.add(get(sum), f64x2.mul(get(factor), f64x2.loadFloats(get(fromB), 8 * half)))),
          ),
          advance(fromA, get(aColumn)),
          advance(fromB, get(rowBytes)),
          advance(left, i32.const(-1)),
        ]),
        set(result, f64x2.toFloats(finish(0), finish(1))),
        storeRest(output, end, result),
        advance(output, i32.const(16)),
        advance(column, i32.const(16)),
      ]),
      set(output, get(end)),
      advance(a, get(aRow)),
    ])
  })
}
