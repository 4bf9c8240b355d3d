/** The dense matrix-times-vector kernel: one block of up to six vectors of neighbouring outputs. */

import { advance, f32x4, get, i32, repeatWhile, set } from '../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../assembler/module.ts'
import { clampVector, type Epilogue } from './epilogue.ts'

export interface RowsSpec extends Epilogue {
  /** Vectors of four outputs. */
  readonly vectors: number
}

/**
 * Call with (input, end of input, block, output, residual); a block is one row of biases, then one row of
 * weights for each input.
 */
export function emitRows(name: string, spec: RowsSpec): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [input, inputEnd, weights, output, residual] = parameters as Locals<5>
    const x = local('v128')
    const sums = Array.from({ length: spec.vectors }, () => local('v128'))
    const row = i32.const(16 * spec.vectors)
    return [
      sums.map((sum, i) => set(sum, f32x4.load(get(weights), 16 * i))),
      advance(weights, row),
      repeatWhile(i32.lessThan(get(input), get(inputEnd)), [
        set(x, f32x4.loadSplat(get(input))),
        sums.map((sum, i) =>
          set(sum, f32x4.add(get(sum), f32x4.mul(get(x), f32x4.load(get(weights), 16 * i)))),
        ),
        advance(input, i32.const(4)),
        advance(weights, row),
      ]),
      sums.map((sum, i) => {
        const added = spec.residual ? f32x4.add(get(sum), f32x4.load(get(residual), 16 * i)) : get(sum)
        return f32x4.store(get(output), clampVector(added, spec.bounds), 16 * i)
      }),
    ]
  })
}
