/** The calls that run one image as a function. */
import {
  advance,
  type Code,
  call,
  defineFunction,
  f32,
  get,
  i32,
  type KernelCall,
  repeatWhile,
  set,
  type WasmFunction,
} from 'sterna-runtime/compile'

/** Calls of one function whose numbers go on by the same steps. */
interface Series {
  readonly first: KernelCall
  readonly steps: readonly number[]
  readonly count: number
}

/** So many calls make a loop. */
const shortestLoop = 3

export function emitRun(
  name: string,
  calls: readonly KernelCall[],
  functions: readonly WasmFunction[],
): WasmFunction {
  const byName = new Map(functions.map((written, index) => [written.name, { index, ...written }]))
  return defineFunction(name, [], (_, local) => {
    const round = local('i32')
    return asSeries(calls, called => byName.get(called)!.parameters).map(({ first, steps, count }): Code => {
      const { index, parameters } = byName.get(first.name)!
      const isLoop = count >= shortestLoop
      const numbersIn = (repeat: number): Code[] =>
        first.numbers.map((number, i) => {
          if (parameters[i] === 'f32') return f32.const(number)
          const start = i32.const(number + repeat * steps[i]!)
          return isLoop && steps[i] !== 0 ? i32.add(start, i32.mul(get(round), i32.const(steps[i]!))) : start
        })
      if (!isLoop) return Array.from({ length: count }, (_, repeat) => call(index, ...numbersIn(repeat)))
      return [
        set(round, i32.const(0)),
        repeatWhile(i32.lessThan(get(round), i32.const(count)), [
          call(index, ...numbersIn(0)),
          advance(round, i32.const(1)),
        ]),
      ]
    })
  })
}

function asSeries(
  calls: readonly KernelCall[],
  parametersOf: (name: string) => WasmFunction['parameters'],
): Series[] {
  const series: Series[] = []
  for (let start = 0; start < calls.length; ) {
    const first = calls[start]!
    const parameters = parametersOf(first.name)
    const steps = stepsTo(first, calls[start + 1], parameters)
    let end = start + 1
    if (steps !== undefined) {
      while (sameSteps(stepsTo(calls[end - 1]!, calls[end], parameters), steps)) end++
    }
    series.push({ first, steps: steps ?? first.numbers.map(() => 0), count: end - start })
    start = end
  }
  return series
}

/** Undefined where the next call is of another function or differs in a float. */
function stepsTo(
  { name, numbers }: KernelCall,
  next: KernelCall | undefined,
  parameters: WasmFunction['parameters'],
): readonly number[] | undefined {
  if (next?.name !== name) return undefined
  const steps = numbers.map((number, i) => next.numbers[i]! - number)
  return steps.some((step, i) => parameters[i] === 'f32' && step !== 0) ? undefined : steps
}

const sameSteps = (a: readonly number[] | undefined, b: readonly number[]): boolean =>
  a?.every((step, i) => step === b[i]) ?? false
