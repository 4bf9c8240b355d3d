/** Which weights of a network are quantized. */
import { SternaError } from '../core/index.ts'
import type { Graph } from '../graph/index.ts'
import type { LayerRule } from './types.ts'

/** A weight and the operator that first uses it. */
export interface WeightedLayer {
  readonly name: string
  readonly kind: 'Conv' | 'Gemm' | 'MatMul'
}

/** Parameters that are the weight (second input) of a Conv, Gemm or MatMul, in graph order, each once. */
export function weightedLayers(graph: Graph): readonly WeightedLayer[] {
  const parameters = new Set(graph.parameters.map(parameter => parameter.name))
  const found = new Map<string, WeightedLayer>()
  for (const { op: kind, inputs } of graph.nodes) {
    if (kind !== 'Conv' && kind !== 'Gemm' && kind !== 'MatMul') continue
    const name = inputs[1]
    if (name !== undefined && parameters.has(name) && !found.has(name)) found.set(name, { name, kind })
  }
  return [...found.values()]
}

export function weightNames(graph: Graph): readonly string[] {
  return weightedLayers(graph).map(({ name }) => name)
}

/** The weights that a rule leaves to quantize, in graph order. */
export function selectLayers(graph: Graph, rule: LayerRule): readonly string[] {
  const names = weightNames(graph)
  const chosen = new Set(names)
  if (rule === 'float-first' || rule === 'float-first-last') chosen.delete(names.at(0) ?? '')
  if (rule === 'float-last' || rule === 'float-first-last') chosen.delete(names.at(-1) ?? '')
  if (chosen.size === 0) {
    throw new SternaError(
      'train/config',
      `layers: the rule "${rule}" leaves none of the ${names.length} weights of "${graph.name}" to quantize`,
      { hint: 'choose the rule "all", or the method "float"', detail: { rule, weights: names } },
    )
  }
  return names.filter(name => chosen.has(name))
}

/** Whole-name match in time proportional to name × pattern. */
export function matchesGlob(name: string, pattern: string): boolean {
  let at = 0
  let star = -1
  let resume = 0
  let p = 0
  while (at < name.length) {
    if (pattern[p] === '*') {
      star = p++
      resume = at
    } else if (pattern[p] === '?' || pattern[p] === name[at]) {
      p++
      at++
    } else if (star >= 0) {
      p = star + 1
      at = ++resume
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}
