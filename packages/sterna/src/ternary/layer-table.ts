/** Which method quantizes which weight: a rule for the whole network, or a table of rows that claim layers. */
import { closest, SternaError } from '../core/index.ts'
import type { Graph } from '../graph/index.ts'
import { matchesGlob, selectLayers, weightedLayers, weightNames } from './layers.ts'
import { createQuantizer } from './methods.ts'
import type { LayerRule, Quantizer } from './types.ts'

/** Operators whose second input is a weight. */
export const layerKinds = ['Conv', 'Gemm', 'MatMul'] as const

/** A row claims layers by exactly one of `name`, `kind` and `index`, and says what becomes of them. */
export interface LayerRow {
  /** A weight's name, or a glob: `*` any text, `?` one character. */
  readonly name?: string
  readonly kind?: (typeof layerKinds)[number]
  /** Among the weighted layers in graph order, from 0; −1 is the last. */
  readonly index?: number
  /** 'float' or a method; without it the network's method. */
  readonly method?: string
  /** Options of that method; those left out are the network's for its own method, else the defaults. */
  readonly options?: Readonly<Record<string, unknown>>
}

/** Layers that no row claims follow the method's own rule. */
export type Layers = LayerRule | readonly LayerRow[]

export const layerRules = [
  'all',
  'float-first',
  'float-last',
  'float-first-last',
] as const satisfies readonly LayerRule[]

/** A row that names its layer goes before one with a glob, and that before one for a kind. */
type Standing = 'kind' | 'glob' | 'layer'
const standings: readonly Standing[] = ['kind', 'glob', 'layer']

/** Checks the form of what a configuration gives for `layers`, and the methods and options it names. */
export function checkLayers(
  layers: unknown,
  method: string,
  options: Readonly<Record<string, unknown>>,
): void {
  if (!Array.isArray(layers)) {
    if (layerRules.some(rule => rule === layers)) return
    throw fault(`expected ${layerRules.join(', ')} or a list of rows, found ${JSON.stringify(layers)}`)
  }
  layers.forEach((row: unknown, index) => {
    if (!isObject(row)) throw fault(`row ${index + 1}: expected an object, found ${JSON.stringify(row)}`)
    const known = ['name', 'kind', 'index', 'method', 'options']
    const strange = Object.keys(row).find(name => !known.includes(name))
    if (strange !== undefined) {
      throw fault(
        `row ${index + 1}: no field is called "${strange}"`,
        `nearest: ${closest(strange, known)[0]}`,
      )
    }
    const claims = ['name', 'kind', 'index'].filter(name => row[name] !== undefined)
    if (claims.length !== 1) {
      throw fault(
        `row ${index + 1}: expected exactly one of name, kind and index, found ${claims.join(', ') || 'none'}`,
      )
    }
    const { name, kind, index: position } = row
    const isGood =
      (typeof name === 'string' && name !== '') ||
      layerKinds.some(item => item === kind) ||
      Number.isInteger(position)
    if (!isGood) {
      const wanted = `name: a text, kind: ${layerKinds.join(' | ')}, index: a whole number`
      throw fault(`row ${index + 1}: expected ${wanted}; found ${JSON.stringify(row)}`)
    }
    if (row.method !== undefined && typeof row.method !== 'string')
      throw fault(`row ${index + 1}: method: expected a name, found ${JSON.stringify(row.method)}`)
    if (row.options !== undefined && !isObject(row.options))
      throw fault(`row ${index + 1}: options: expected an object, found ${JSON.stringify(row.options)}`)
    quantizerOf(row as LayerRow, method, options)
  })
}

/**
 * The quantizer of each weight that has one, in graph order; `base` is the network's own.
 * @throws SternaError 'train/config' for a row that claims no layer, for two of equal standing that claim the same,
 * and where no layer is left to quantize
 */
export function assignQuantizers(
  graph: Graph,
  base: Quantizer | undefined,
  layers: Layers | undefined,
): ReadonlyMap<string, Quantizer> {
  const found = new Map<string, Quantizer>()
  if (!Array.isArray(layers)) {
    if (base === undefined) return found
    const rule = (layers as LayerRule | undefined) ?? base.defaultLayers
    for (const name of selectLayers(graph, rule)) found.set(name, base)
    return found
  }
  const rows = layers as readonly LayerRow[]
  const claims = claimsOf(graph, rows)
  const byRule = base === undefined ? [] : selectLayers(graph, base.defaultLayers)
  const quantizers = rows.map(row => quantizerOf(row, base?.method ?? 'float', base?.options ?? {}))
  for (const name of weightNames(graph)) {
    const row = claims.get(name)
    const quantizer = row === undefined ? (byRule.includes(name) ? base : undefined) : quantizers[row]
    if (quantizer !== undefined) found.set(name, quantizer)
  }
  if (found.size > 0) return found
  throw fault(
    `the rows leave none of the ${weightNames(graph).length} weights of "${graph.name}" to quantize`,
  )
}

/** The row that holds for each claimed weight. */
function claimsOf(graph: Graph, rows: readonly LayerRow[]): ReadonlyMap<string, number> {
  const weights = weightedLayers(graph)
  const claims = new Map<string, number>()
  for (const standing of standings) {
    const claimedHere = new Map<string, number>()
    rows.forEach((row, index) => {
      if (standingOf(row) !== standing) return
      const claimed = weights.filter(({ name, kind }, position) => {
        if (row.name !== undefined) return matchesGlob(name, row.name)
        if (row.kind !== undefined) return kind === row.kind
        return position === (row.index! < 0 ? weights.length + row.index! : row.index)
      })
      if (claimed.length === 0) throw matchesNothing(graph, index, row)
      for (const { name } of claimed) {
        const other = claimedHere.get(name)
        if (other !== undefined) {
          throw fault(
            `rows ${other + 1} (${describe(rows[other]!)}) and ${index + 1} (${describe(row)}) both claim "${name}"`,
            'a row for the layer itself goes before a glob, a glob before a kind; leave one of equal standing',
          )
        }
        claimedHere.set(name, index)
        claims.set(name, index)
      }
    })
  }
  return claims
}

function matchesNothing(graph: Graph, index: number, row: LayerRow): SternaError {
  const weights = weightedLayers(graph)
  const names = weights.map(({ name }) => name)
  const kinds = [...new Set(weights.map(({ kind }) => kind))]
  const hint =
    row.name !== undefined
      ? `nearest: ${closest(row.name, names).join(', ')}`
      : `the network has ${weights.length} weights, of ${kinds.join(' and ')}`
  return fault(`row ${index + 1} (${describe(row)}) matches no weight of "${graph.name}"`, hint)
}

function standingOf({ name, kind }: LayerRow): Standing {
  if (kind !== undefined) return 'kind'
  return name !== undefined && /[*?]/.test(name) ? 'glob' : 'layer'
}

function describe({ name, kind, index }: LayerRow): string {
  if (name !== undefined) return `name "${name}"`
  return kind !== undefined ? `kind ${kind}` : `index ${index}`
}

function quantizerOf(
  row: LayerRow,
  method: string,
  options: Readonly<Record<string, unknown>>,
): Quantizer | undefined {
  const inherited = row.method === undefined || row.method === method ? options : {}
  return createQuantizer(row.method ?? method, { ...inherited, ...row.options })
}

function fault(message: string, hint?: string): SternaError {
  return new SternaError('train/config', `layers: ${message}`, hint === undefined ? {} : { hint })
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
