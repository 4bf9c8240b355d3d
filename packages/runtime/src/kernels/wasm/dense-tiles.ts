/**
 * The dense convolution kernel: computes one tile of several output channels at a time. Every input is loaded once and
 * multiplied by the weights of all of them.
 */

import { advance, f32x4, get, i32, repeatWhile, set } from '../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../assembler/module.ts'
import { type Epilogue, storeSum, type TileOutput } from './epilogue.ts'

export interface DenseTileSpec extends Epilogue, TileOutput {
  /** Output channels computed together. */
  readonly filters: number
  /** Bytes from the window's first input to where each vector of the tile begins. */
  readonly inputOffsets: readonly number[]
}

/**
 * Call with (input, output, residual, first record, end of records, list, bytes of an output plane). A record is [end of
 * list, bias of each filter], a list entry [offset, weight of each filter]; y = Σ weight · input + bias.
 */
export function emitDenseTile(name: string, spec: DenseTileSpec): WasmFunction {
  const { filters, inputOffsets } = spec
  const rowBytes = 4 + 4 * filters
  return defineFunction(name, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [input, output, residual, record, recordsEnd, entry, plane] = parameters as Locals<7>
    const [end, address] = [local('i32'), local('i32')]
    const inputs = inputOffsets.map(() => local('v128'))
    const weight = local('v128')
    const channels = Array.from({ length: filters }, () => inputOffsets.map(() => local('v128')))
    return repeatWhile(i32.lessThan(get(record), get(recordsEnd)), [
      set(end, i32.load(get(record))),
      channels.map((sums, filter) => sums.map(sum => set(sum, f32x4.loadSplat(get(record), 4 + 4 * filter)))),
      repeatWhile(i32.lessThan(get(entry), get(end)), [
        set(address, i32.add(get(input), i32.load(get(entry)))),
        inputs.map((vector, i) => set(vector, f32x4.load(get(address), inputOffsets[i]))),
        channels.map((sums, filter) => [
          set(weight, f32x4.loadSplat(get(entry), 4 + 4 * filter)),
          sums.map((sum, i) => set(sum, f32x4.add(get(sum), f32x4.mul(get(inputs[i]!), get(weight))))),
        ]),
        advance(entry, i32.const(rowBytes)),
      ]),
      channels.map(sums => [
        sums.map((sum, i) => storeSum(spec, { output, residual, sum }, i)),
        advance(output, get(plane)),
        spec.residual ? advance(residual, get(plane)) : [],
      ]),
      advance(record, i32.const(rowBytes)),
    ])
  })
}
