/** Copies of bytes, rectangle by rectangle. Steps are in bytes; columns of the target are neighbours. */
import {
  advance,
  type Code,
  get,
  i8x16,
  i32,
  i64,
  type Local,
  repeatWhile,
  set,
  v128,
  when,
} from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../../assembler/module.ts'

/**
 * Call with (target, source, planes, rows, columns, target plane step, target row step, source plane step, source row
 * step, source column step).
 */
export function emitByteCopy(name: string): WasmFunction {
  return emitRows(name, (to, from, columns, column, local) => {
    const [place, end] = [local(), local()]
    const vector = v128.load(get(place))
    /** So many bytes of the target at a time, from every byte of the source or every second. */
    const vectorsWhile = (step: number, bytes: number, store: Code): Code =>
      when(
        i32.eq(get(column), i32.const(step)),
        repeatWhile(i32.atMost(i32.add(get(to), i32.const(bytes)), get(end)), [
          store,
          advance(to, i32.const(bytes)),
          advance(place, i32.const(16)),
        ]),
      )
    return [
      set(place, get(from)),
      set(end, i32.add(get(to), get(columns))),
      vectorsWhile(1, 16, v128.store(get(to), vector)),
      vectorsWhile(2, 8, v128.storeHalf(get(to), i8x16.evenLanes(vector, v128.zero))),
      repeatWhile(i32.lessThan(get(to), get(end)), [
        i32.store8(get(to), i32.load8(get(place))),
        advance(to, i32.const(1)),
        advance(place, get(column)),
      ]),
    ]
  })
}

export interface RowCopySpec {
  readonly columns: number
  /** Source columns from one to the next. */
  readonly step: 1 | 2
}

/** Wider rows would make long functions. */
export const widestRow = 128

/** As `emitByteCopy`, for rows of one width: whole vectors, the last one over bytes that were copied already. */
export function emitRowCopy(name: string, { columns, step }: RowCopySpec): WasmFunction {
  const block = columns >= 16 ? 16 : columns >= 8 ? 8 : 1
  const starts = Array.from({ length: Math.ceil(columns / block) }, (_, i) =>
    Math.min(i * block, columns - block),
  )
  return emitRows(name, (to, from) =>
    starts.map(start => {
      const source = step * start
      if (block === 1) return i32.store8(get(to), i32.load8(get(from), source), start)
      if (step === 1 && block === 8) return i64.store(get(to), i64.load(get(from), source), start)
      const vector = v128.load(get(from), source)
      if (step === 1) return v128.store(get(to), vector, start)
      if (block === 8) return v128.storeHalf(get(to), i8x16.evenLanes(vector, v128.zero), start)
      return v128.store(get(to), i8x16.evenLanes(vector, v128.load(get(from), source + 16)), start)
    }),
  )
}

/** @param copyRow may change `to`, but not `from` */
function emitRows(
  name: string,
  copyRow: (to: Local, from: Local, columns: Local, column: Local, local: () => Local) => Code,
): WasmFunction {
  return defineFunction(name, new Array(10).fill('i32'), (parameters, local) => {
    const [target, source, planes, rows, columns, targetPlane, targetRow, sourcePlane, sourceRow, column] =
      parameters as Locals<10>
    const [row, to, from, rowTarget] = [local('i32'), local('i32'), local('i32'), local('i32')]
    return repeatWhile(get(planes), [
      set(row, get(rows)),
      set(rowTarget, get(target)),
      set(from, get(source)),
      repeatWhile(get(row), [
        set(to, get(rowTarget)),
        copyRow(to, from, columns, column, () => local('i32')),
        advance(rowTarget, get(targetRow)),
        advance(from, get(sourceRow)),
        advance(row, i32.const(-1)),
      ]),
      advance(target, get(targetPlane)),
      advance(source, get(sourcePlane)),
      advance(planes, i32.const(-1)),
    ])
  })
}
