/** What `sterna compare` finds: networks of several methods from the same float parents. */

/** One trained and packed network. */
export interface ComparedRun {
  readonly method: string
  readonly seed: number
  /** Fractions. */
  readonly validationAccuracy: number
  readonly testAccuracy: number
  /** Of the layers made ternary; of all layers for a float network. */
  readonly zeros: number
  /** Length of the packed file. */
  readonly bytes: number
  readonly bitsPerWeight: number
  /** Additions and multiplications for one image. */
  readonly additions: number
  readonly multiplications: number
  readonly file: string
}

export interface Comparison {
  readonly model: string
  readonly data: { readonly name: string; readonly digest: string; readonly testImages: number }
  /** What all trainings have in common, in words. */
  readonly protocol: string
  /** What computed the packed files' answers. */
  readonly engine: string
  /** The command line that repeats it. */
  readonly command: string
  readonly runs: readonly ComparedRun[]
}

export interface Spread {
  readonly mean: number
  readonly least: number
  readonly most: number
}

export interface MethodSummary {
  readonly method: string
  readonly runs: readonly ComparedRun[]
  readonly validationAccuracy: Spread
  readonly testAccuracy: Spread
  readonly zeros: Spread
  readonly bytes: Spread
}

/** One summary a method, in the order of first appearance. */
export function summarizeMethods(runs: readonly ComparedRun[]): readonly MethodSummary[] {
  const names = [...new Set(runs.map(run => run.method))]
  return names.map(method => {
    const own = runs.filter(run => run.method === method)
    const of = (name: 'validationAccuracy' | 'testAccuracy' | 'zeros' | 'bytes') =>
      spreadOf(own.map(run => run[name]))
    return {
      method,
      runs: own,
      validationAccuracy: of('validationAccuracy'),
      testAccuracy: of('testAccuracy'),
      zeros: of('zeros'),
      bytes: of('bytes'),
    }
  })
}

function spreadOf(values: readonly number[]): Spread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return { mean, least: Math.min(...values), most: Math.max(...values) }
}
