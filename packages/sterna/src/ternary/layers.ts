/** Which weights of a network are quantized. */
import { closest, SternaError } from '../core/index.ts'
import type { Graph } from '../graph/index.ts'
import type { LayerRule } from './types.ts'

/** By weight name or glob (`*` any text, `?` one character); of several that match a name the last one holds. */
export type LayerOverrides = Readonly<Record<string, 'float' | 'quantize'>>

/** Parameters that are the weight (second input) of a Conv, Gemm or MatMul, in graph order, each once. */
export function weightNames(graph: Graph): readonly string[] {
  const parameters = new Set(graph.parameters.map(parameter => parameter.name))
  const found = new Set<string>()
  for (const node of graph.nodes) {
    if (node.op !== 'Conv' && node.op !== 'Gemm' && node.op !== 'MatMul') continue
    const weight = node.inputs[1]
    if (weight !== undefined && parameters.has(weight)) found.add(weight)
  }
  return [...found]
}

/** The weights to quantize, in graph order: those of the rule, changed by the overrides. */
export function selectLayers(
  graph: Graph,
  rule: LayerRule,
  overrides: LayerOverrides = {},
): readonly string[] {
  const names = weightNames(graph)
  const chosen = new Set(names)
  if (rule === 'float-first' || rule === 'float-first-last') chosen.delete(names.at(0) ?? '')
  if (rule === 'float-last' || rule === 'float-first-last') chosen.delete(names.at(-1) ?? '')
  for (const [pattern, choice] of Object.entries(overrides)) {
    const matching = names.filter(name => matchesGlob(name, pattern))
    if (matching.length === 0) {
      throw new SternaError('train/config', `layers: no weight of "${graph.name}" matches "${pattern}"`, {
        hint: `nearest: ${closest(pattern, names).join(', ')}`,
        detail: { pattern, weights: names },
      })
    }
    for (const name of matching) {
      if (choice === 'quantize') chosen.add(name)
      else chosen.delete(name)
    }
  }
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
function matchesGlob(name: string, pattern: string): boolean {
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
